import type { handleBidiStreamingCall, handleUnaryCall } from "@grpc/grpc-js";
import {
  type CoordinatorMessage,
  controlService,
  type Frame,
  type FrameReceiver,
  type FrameSender,
  flowHandler,
  GrpcServer,
  type Heartbeat,
  peerOf,
  pipelineService,
  RhoneError,
  type Security,
  type Shutdown,
  toGrpcStatus,
  type WorkerMessage,
  weightsService,
} from "@rhone/common";
import type { WeightServer } from "@rhone/weights";
import type { WorkerRegistry } from "../workers/worker-registry.js";
import type { Epoch } from "./epoch.js";
import type { Pipeline } from "./pipeline.js";

/**
 * Serves Control to all workers, Weights to machines that lack them, and Pipeline to the last stage and to stages that
 * do not reach the next one. Returns the port. Throws PORT_IN_USE.
 */
export async function serveWorkers(options: {
  readonly host: string;
  readonly port: number;
  readonly security: Security;
  /** The largest frame of the model's stages. */
  readonly mostFrameBytes: number;
  readonly registry: WorkerRegistry;
  readonly pipeline: Pipeline;
  readonly weights: WeightServer;
  readonly shutdown: Shutdown;
}): Promise<number> {
  const { host, port, security, registry, pipeline, weights, shutdown } = options;
  const mostFrameBytes = (): number => options.mostFrameBytes;
  const server = await GrpcServer.open({ host, port, security, mostFrameBytes }, (services) => {
    const join: handleBidiStreamingCall<WorkerMessage, CoordinatorMessage> = (stream) =>
      registry.join(stream, peerOf(stream));
    const beat: handleUnaryCall<Heartbeat, object> = (call, answer) => {
      const problem = registry.beat(call.request, peerOf(call));
      if (problem === null) answer(null, {});
      else answer(toGrpcStatus(problem));
    };
    services.addService(controlService, { join, beat });
    services.addService(weightsService, weights.handlers);
    const flow = flowHandler((sender) => receiveFrames(() => pipeline.epoch, sender));
    services.addService(pipelineService, { flow });
  });
  shutdown.add("grpc", () => server.close());
  shutdown.add("registry", () => registry.close());
  return server.port;
}

/** Hands the frames of stages to their epoch, which breaks when the stream that carried them ends. */
function receiveFrames(current: () => Epoch | null, sender: FrameSender): FrameReceiver {
  let owner: Epoch | null = null;
  let who = "";
  return {
    accept: (frame: Frame): void | Promise<void> => {
      const epoch = current();
      if (epoch === null || !epoch.owns(frame)) return;
      const problem = epoch.notItsSender(frame, sender);
      if (problem !== null) return sender.refuse(problem);
      owner = epoch;
      who = frame.toStage ? `Stage ${frame.toStage - 1}` : "The last stage";
      return frame.toStage ? epoch.relay(frame) : epoch.accept(frame);
    },
    ended: () => owner?.break(new RhoneError("WORKER_LOST", `${who}'s connection to the coordinator ended.`)),
  };
}
