export { type ApiKey, apiKeyIdOf, apiKeyNameSchema, apiKeyOf, isSecretOf, newApiKey } from "./api-keys/api-key.js";
export { ApiKeyStore } from "./api-keys/api-key-store.js";
export {
  anonymousStatus,
  type ClusterStatus,
  checkClusterStatus,
  type DraftCounts,
  type PipelineState,
  type Preparing,
  parseClusterStatus,
  pipelineStateSchema,
  type ServedModel,
  type StepTimeStatus,
  type TokenCounts,
  type WorkerStatus,
} from "./cluster/cluster-status.js";
export type {
  ClusterEvent,
  LiveHello,
  LivePipeline,
  LiveQueue,
  LiveSample,
  LiveTick,
  RecentRequest,
} from "./cluster/live-status.js";
export { type JoinablePipeline, type Places, placesSchema } from "./cluster/places.js";
export { hostPort, hostPortSchema, hostSchema, isEveryInterface, loopbackOf } from "./config/host-address.js";
export {
  badSettings,
  type ConfigOf,
  loadConfig,
  parseSettings,
  type Settings,
  settingDescriptions,
} from "./config/load-config.js";
export {
  type ActivationTypeName,
  activationTypeSchema,
  booleanSchema,
  ggmlDirSetting,
  hostSetting,
  hungAfterSetting,
  KERNEL_CHOICES,
  type KernelChoice,
  type KvTypeName,
  kernelsSetting,
  kvTypeSchema,
  logLevelSetting,
  type Parsed,
  portSchema,
  redisUrlSchema,
  redisUrlSetting,
  weightsDirSetting,
  weightsFromSetting,
  weightsRateSetting,
  withoutPassword,
} from "./config/schemas.js";
export { clipped } from "./errors/clipped.js";
export { ERROR_TABLE, type ErrorCode, isErrorCode, parseErrorCode } from "./errors/error-table.js";
export { explainRefusal } from "./errors/explain-refusal.js";
export { RhoneError, toRhoneError } from "./errors/rhone-error.js";
export { formatBytes } from "./format-bytes.js";
export { advertisedHost } from "./grpc/advertised-host.js";
export { type ChannelSettings, GrpcServer, openChannel, type Services } from "./grpc/channel.js";
export { fromGrpcError, toGrpcStatus } from "./grpc/error-status.js";
export { type FrameReceiver, type FrameSender, flowHandler } from "./grpc/flow-server.js";
export { FrameLink, type FrameLinkOptions } from "./grpc/frame-link.js";
export { Heartbeats } from "./grpc/heartbeats.js";
export { preparingOf } from "./grpc/preparing.js";
export {
  type CoordinatorMessage,
  controlService,
  type DescribeWeights,
  type Frame,
  frameBytes,
  type GuardedService,
  guardedMethod,
  type HashTensors,
  type Heartbeat,
  MOST_ACTIVATION_BYTES,
  PROTOCOL_VERSION,
  pipelineService,
  type ReadWeights,
  type TensorHash,
  type WeightBytes,
  type WeightsDescription,
  type WorkerMessage,
  weightsService,
} from "./grpc/services.js";
export { LANES, type Lane } from "./lane.js";
export { Condition } from "./lifecycle/condition.js";
export {
  type Announcement,
  announce,
  type CalibrationAnswer,
  type CalibrationOrder,
  type GivenSocket,
  givenSocket,
  type ListeningSocket,
  type Release,
  released,
  socketOf,
  type WorkerStanding,
} from "./lifecycle/launcher.js";
export { beginPulse, type Pulse, watchPulse } from "./lifecycle/pulse.js";
export { crash, Shutdown } from "./lifecycle/run-service.js";
export { serviceEnvironment } from "./lifecycle/service-environment.js";
export { readSettings, serviceMain } from "./lifecycle/service-main.js";
export { describePart, MemoryClaim, type UnclaimedMemory, unclaimedMemory } from "./machine/memory-claims.js";
export { mostOpenFiles } from "./machine/open-files.js";
export { type AvailableMemory, availableCores } from "./machine/this-machine.js";
export { makeFolder } from "./make-folder.js";
export { askOperations, type OperationsAnswer } from "./observability/ask-operations.js";
export { explainBindError, type ListenAddress, listenOrExplain } from "./observability/listen.js";
export { createLogger, type Logger, type LoggerOptions } from "./observability/logger.js";
export { Connections, keepToConnections } from "./observability/most-connections.js";
export { OperationsServer } from "./observability/operations-server.js";
export { metricsPage, processRegistry } from "./observability/process-metrics.js";
export { Stillness } from "./observability/stillness.js";
export { cancelJobs } from "./queue/cancel-jobs.js";
export { MOST_WINDOW_HOURS, WINDOW_SYNTAX, windowSeconds } from "./queue/completion-window.js";
export {
  decodeEvent,
  decodeEvents,
  encodeEvent,
  encodeEvents,
  type Finish,
  type GenerationEvent,
  ordinalAfter,
  type Timings,
  type Usage,
} from "./queue/generation-event.js";
export {
  type Constraint,
  choiceId,
  type GenerationJob,
  generationJobSchema,
  requestOfChoice,
  type SamplingSettings,
  tokenIdsSchema,
} from "./queue/generation-job.js";
export {
  type OpenRedisOptions,
  openRedis,
  redisFileSettings,
  redisUnavailable,
  withinLook,
} from "./queue/open-redis.js";
export { biasBytes, packBias, unpackBias } from "./queue/packed-bias.js";
export { LogprobList, scoreBytes, type TokenLogprob } from "./queue/packed-logprobs.js";
export {
  chainOf,
  extendChain,
  LINK_TOKENS,
  linksOf,
  mayBeCached,
  type PrefixChain,
  routeOf,
} from "./queue/prefix-links.js";
export {
  API_KEYS_KEY,
  CANCEL_CHANNEL,
  COORDINATORS_KEY,
  callChannel,
  callsKey,
  cancelledKey,
  eventsChannel,
  FINISHED_LOG_TTL_S,
  GATEWAYS_KEY,
  gatewayKey,
  handedKey,
  idempotentKey,
  type JobQueue,
  jobLockKey,
  LIMIT_PREFIX,
  leasesKey,
  loadsKey,
  OPEN_LOG_TTL_S,
  placesKey,
  prefixesKey,
  queueName,
  REDIS_ACL,
  REDIS_PREFIX,
  statusKey,
  streamHeadKey,
  streamKey,
  TOKEN_LOG_FIELD,
  tokenLogEntryId,
  tokenLogKey,
  turnsKey,
} from "./queue/redis-names.js";
export { type TraceCarrier, traceCarrierSchema } from "./queue/trace-carrier.js";
export { endTurn, leaveQueue, type QueuedJob, takeTurn } from "./queue/turns.js";
export { endRevoked } from "./security/end-revoked.js";
export { nameOf, type Peer, ROLES, type Role } from "./security/peer.js";
export {
  bearerOf,
  type Expected,
  isSecret,
  openSecurity,
  peerOf,
  readSecret,
  requirePeer,
  SECRET_HEADER,
  type Security,
} from "./security/security.js";
export {
  isLoopback,
  metricsTokenFileSetting,
  type SecurityConfig,
  securitySettings,
} from "./security/security-settings.js";
export { simulatedDraw, simulatedToken, simulatedTokens } from "./simulation/simulated-token.js";
export { parseSimulation, SIMULATION_SYNTAX, type Simulation, simulationSchema } from "./simulation/simulation.js";
export { ComputeThread, type TimeLimit } from "./threads/compute-thread.js";
export { FairLine, type FairLineOptions } from "./threads/fair-line.js";
export { FairWaiters } from "./threads/fair-waiters.js";
export { type Served, serveThread, ThreadSpent } from "./threads/serve-thread.js";
export { SharedThread } from "./threads/shared-thread.js";
export { unlessAborted } from "./threads/unless-aborted.js";
export { openTracing } from "./tracing/open-tracing.js";
export {
  NO_TRACING,
  type SpanAttributes,
  type SpanOptions,
  type TraceSpan,
  type Tracing,
  timed,
} from "./tracing/tracing.js";
export { tracingSettings } from "./tracing/tracing-settings.js";
export { VERSION } from "./version.js";
export { createFile, removeLeft, replaceFile } from "./whole-file.js";
