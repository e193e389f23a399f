export * from "./api-keys/api-key.js";
export * from "./api-keys/api-key-store.js";
export * from "./cluster/cluster-status.js";
export * from "./config/load-config.js";
export * from "./config/schemas.js";
export * from "./errors/error-table.js";
export * from "./errors/rhone-error.js";
export { GrpcServer, openChannel } from "./grpc/channel.js";
export { fromGrpcError, toGrpcStatus } from "./grpc/error-status.js";
export { type FrameReceiver, flowHandler } from "./grpc/flow-server.js";
export { FrameLink } from "./grpc/frame-link.js";
export {
  type CoordinatorMessage,
  controlService,
  type FlowEnd,
  type Frame,
  PROTOCOL_VERSION,
  pipelineService,
  type WorkerMessage,
} from "./grpc/services.js";
export * from "./lifecycle/announce.js";
export * from "./lifecycle/condition.js";
export * from "./lifecycle/crash.js";
export * from "./lifecycle/run-service.js";
export * from "./lifecycle/service-main.js";
export * from "./lifecycle/shutdown.js";
export * from "./observability/listen.js";
export * from "./observability/logger.js";
export * from "./observability/operations-server.js";
export * from "./queue/generation-event.js";
export * from "./queue/generation-job.js";
export * from "./queue/open-redis.js";
export * from "./queue/redis-names.js";
export * from "./simulation/simulated-token.js";
export * from "./simulation/simulation.js";
