import type { handleUnaryCall } from "@grpc/grpc-js";
import {
  controlService,
  type Frame,
  type FrameReceiver,
  flowHandler,
  GrpcServer,
  type Heartbeat,
  pipelineService,
  RhoneError,
  type Shutdown,
  weightsService,
} from "@rhone/common";
import type { WeightServer } from "@rhone/weights";
import type { WorkerRegistry } from "../workers/worker-registry.js";
import type { Epoch } from "./epoch.js";
import type { Pipeline } from "./pipeline.js";

/**
 * Serves Control to all workers, Weights to machines that lack them, and Pipeline to the last stage. Returns the port.
 * Throws PORT_IN_USE.
 */
export async function serveWorkers(options: {
  readonly host: string;
  readonly port: number;
  readonly registry: WorkerRegistry;
  readonly pipeline: Pipeline;
  readonly weights: WeightServer;
  readonly shutdown: Shutdown;
}): Promise<number> {
  const { host, port, registry, pipeline, weights, shutdown } = options;
  const server = await GrpcServer.open({ host, port }, (services) => {
    const beat: handleUnaryCall<Heartbeat, object> = ({ request }, answer) => {
      registry.beat(request);
      answer(null, {});
    };
    services.addService(controlService, { join: registry.join.bind(registry), beat });
    services.addService(weightsService, weights.handlers);
    services.addService(pipelineService, { flow: flowHandler(() => receiveResults(() => pipeline.epoch)) });
  });
  shutdown.add("grpc", () => server.close());
  shutdown.add("registry", () => registry.close());
  return server.port;
}

/** Hands the last stage's frames to their epoch, which breaks when the stream that carried them ends. */
function receiveResults(current: () => Epoch | null): FrameReceiver {
  let owner: Epoch | null = null;
  return {
    accept: (frame: Frame): void => {
      const epoch = current();
      if (epoch === null || !epoch.owns(frame)) return;
      owner = epoch;
      epoch.accept(frame);
    },
    ended: () => owner?.break(new RhoneError("WORKER_LOST", "The last stage's connection to the coordinator ended.")),
  };
}
