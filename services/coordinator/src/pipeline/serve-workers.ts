import { Server } from "@grpc/grpc-js";
import { bindGrpc, CHANNEL_OPTIONS, controlService, pipelineService, type Shutdown } from "@rhone/common";
import type { WorkerRegistry } from "../workers/worker-registry.js";
import { receiveFlow } from "./flow-receiver.js";
import type { Pipeline } from "./pipeline.js";

/** Serves Control to all workers and Pipeline to the last stage. Returns the port. Throws PORT_IN_USE. */
export async function serveWorkers(options: {
  readonly host: string;
  readonly port: number;
  readonly registry: WorkerRegistry;
  readonly pipeline: Pipeline;
  readonly shutdown: Shutdown;
}): Promise<number> {
  const { host, port, registry, pipeline, shutdown } = options;
  const server = new Server(CHANNEL_OPTIONS);
  server.addService(controlService, { join: registry.join.bind(registry) });
  server.addService(pipelineService, {
    flow: (stream: Parameters<typeof receiveFlow>[0]) => receiveFlow(stream, () => pipeline.epoch),
  });
  const bound = await bindGrpc(server, { host, port });
  shutdown.add("grpc", () => server.forceShutdown());
  shutdown.add("registry", () => registry.close());
  return bound;
}
