import { randomUUID } from "node:crypto";
import {
  type ActivationTypeName,
  advertisedHost,
  frameBytes,
  hostPort,
  type Logger,
  MOST_ACTIVATION_BYTES,
  OperationsServer,
  openRedis,
  openSecurity,
  openTracing,
  RhoneError,
  type Security,
  type Shutdown,
  type Tracing,
  type WorkerStatus,
} from "@rhone/common";
import type { KvShape } from "@rhone/planner";
import { rhone } from "@rhone/proto";
import { FairRate, HashThread, TensorHashes, WeightServer } from "@rhone/weights";
import type { Redis } from "ioredis";
import type { CoordinatorConfig } from "./config.js";
import { Engine } from "./engine/engine.js";
import { Cancellations } from "./intake/cancellations.js";
import { Consumer } from "./intake/consumer.js";
import { JobPace } from "./intake/job-pace.js";
import { placeOf } from "./intake/lease.js";
import { createMetrics, type Metrics } from "./metrics.js";
import type { ModelFacts } from "./model/model-facts.js";
import { Pipeline, type PipelineListener } from "./pipeline/pipeline.js";
import { planPipeline } from "./pipeline/plan-pipeline.js";
import { serveWorkers } from "./pipeline/serve-workers.js";
import { clusterStatus } from "./status/cluster-status.js";
import { StatusPublisher } from "./status/status-publisher.js";
import { tellStanding } from "./status/tell-standing.js";
import { TokenLog } from "./token-log/token-log.js";
import { modelRef, shardSpec } from "./workers/shard-loads.js";
import { whyUnreachable } from "./workers/why-unreachable.js";
import { WorkerRegistry } from "./workers/worker-registry.js";

export interface CoordinatorOptions {
  readonly config: CoordinatorConfig;
  readonly model: ModelFacts;
  readonly logger: Logger;
  /** Takes every resource that is opened, and closes them in reverse order. */
  readonly shutdown: Shutdown;
}

/** host:port of the gRPC server and of the HTTP server for operations. */
export interface CoordinatorAddresses {
  readonly grpc: string;
  readonly ops: string;
}

interface Parts extends CoordinatorOptions {
  readonly id: string;
  readonly security: Security;
  readonly shape: KvShape;
  readonly metrics: Metrics;
  readonly tracing: Tracing;
}

/** Bytes of a step's activations, at most. */
const stepBytes = ({ config, model }: CoordinatorOptions): number =>
  config.maxRows * model.activationBytes(config.activationType);

/** Throws INVALID_CONFIG for steps whose frames no worker would take. */
function checkFrames(options: CoordinatorOptions): void {
  const { maxRows, activationType } = options.config;
  const bytes = stepBytes(options);
  if (bytes <= MOST_ACTIVATION_BYTES) return;
  throw new RhoneError(
    "INVALID_CONFIG",
    `--max-rows ${maxRows} makes frames with ${bytes} bytes of ${activationType} activations; workers take at most ` +
      `${MOST_ACTIVATION_BYTES}. Set it to ${Math.floor(MOST_ACTIVATION_BYTES / (bytes / maxRows))} or less.`,
  );
}

/** Opens and connects all parts; the pipeline comes up when workers join. Throws PORT_IN_USE, REDIS_UNAVAILABLE. */
export async function startCoordinator(options: CoordinatorOptions): Promise<CoordinatorAddresses> {
  const { config, model, logger, shutdown } = options;
  checkFrames(options);
  const security = openSecurity(config, logger);
  shutdown.add("security", () => security.close());
  const id = randomUUID().slice(0, 8); // frames of an earlier process with the same name must not pass for this one's
  const metrics = createMetrics(model.served.name);
  const tracing = await openTracing(config, { service: "coordinator", instance: id, logger });
  shutdown.add("tracing", () => tracing.close());
  const parts: Parts = { ...options, id, security, shape: kvShape(options), metrics, tracing };
  const startedAtMs = Date.now();

  const redis = await connect(options, "log");
  const { finishedLogBytes: finishedBytes, openLogBytes: openBytes } = config;
  const tooLong = (requestId: string) => engine.fail(requestId, logsFull(openBytes));
  const tokenLog = new TokenLog({ redis, metrics, logger, finishedBytes, openBytes, tooLong });
  shutdown.add("token log", () => tokenLog.close());
  const engine = createEngine(parts, tokenLog);
  const consumer = await openConsumer(parts, { engine, tokenLog, redis });

  const reach = (worker: string, address: string) => whyUnreachable({ worker, address, security });
  const registry = new WorkerRegistry(logger, { ...config, reach });
  const pipeline = createPipeline(parts, registry, pipelineListener(engine, consumer));
  const weights = createWeightServer(parts, () => engine.counts.running > 0);
  const grpcPort = await serveWorkers({
    host: config.host,
    port: config.port,
    security,
    // What simulated stages send each other is known to them alone.
    mostFrameBytes: frameBytes(config.simulated ? MOST_ACTIVATION_BYTES : stepBytes(options)),
    registry,
    pipeline,
    weights,
    shutdown,
  });

  const { simulated, kvType, pageSize, maxSequences } = config;
  const host = advertisedHost(config, logger);
  const grpc = hostPort(host, grpcPort);
  let opsAddress = "";
  const settings = {
    coordinator: parts.id,
    address: grpc,
    startedAtMs,
    model: model.served,
    simulated,
    kvType,
    activationType: config.activationType,
    activationBytes: model.activationBytes(config.activationType),
    pageSize,
    maxSequences,
  };
  const status = () => clusterStatus({ ...settings, operations: () => opsAddress, pipeline, registry, engine });
  const publisher = new StatusPublisher({ redis, status, logger });
  pipeline.onChange(() => {
    publisher.changed();
    tellStanding({ pipeline, registry, model: model.served.name });
  });
  shutdown.add("status", () => publisher.close());
  metrics.observe(() => ({
    counts: engine.counts,
    lanes: engine.lanes,
    state: pipeline.state,
    stages: pipeline.epoch?.stages ?? 0,
    workers: registry.members.map((member) => member.status()),
  }));

  const operations = await OperationsServer.open({
    host: config.host,
    port: config.opsPort,
    security,
    metricsTokenFile: config.metricsTokenFile,
    registry: metrics.registry,
    notReady: () => (pipeline.state === "ready" ? null : (pipeline.reason ?? pipeline.state)),
    status,
    commands: { "/drain": (query) => drainWorker(query.get("worker") ?? "", { registry, pipeline }) },
  });
  opsAddress = hostPort(host, operations.port);
  shutdown.add("operations", () => operations.close());

  shutdown.add("engine", async () => {
    const consumed = consumer.close(); // takes no more jobs, and waits until the engine has rejected those that run
    engine.close();
    await consumed;
  });
  await consumer.begin(placeOf(hostPort(config.host, grpcPort)));
  void pipeline.run(grpc);
  shutdown.add("pipeline", () => pipeline.close());
  return { grpc, ops: hostPort(config.host, operations.port) };
}

/** Resolves when the worker has no layers any more. Throws NOT_FOUND, and as `Pipeline.drain`. */
async function drainWorker(
  worker: string,
  { registry, pipeline }: { readonly registry: WorkerRegistry; readonly pipeline: Pipeline },
): Promise<WorkerStatus> {
  const member = registry.get(worker);
  if (member === undefined) throw new RhoneError("NOT_FOUND", `No worker ${worker} has joined this coordinator.`);
  await pipeline.drain(member);
  return member.status();
}

function logsFull(most: number): RhoneError {
  const problem = `The answers in progress take more than ${most} bytes of Redis (--open-log-bytes)`;
  const why = "and this is the longest of the API key with the most";
  return new RhoneError("LOGS_FULL", `${problem}, ${why}. Ask for fewer tokens or log-probabilities, or later.`);
}

function kvShape({ config, model }: CoordinatorOptions): KvShape {
  const { contextLength, slidingWindow } = model.served;
  return { pageSize: config.pageSize, slidingWindow: slidingWindow ?? 0, contextLength, maxRows: config.maxRows };
}

async function connect({ config, logger, shutdown }: CoordinatorOptions, name: string): Promise<Redis> {
  const redis = await openRedis({
    url: config.redisUrl,
    files: config,
    name: `rhone-coordinator-${name}`,
    waits: true,
    onError: (err) => logger.warn({ err, connection: name }, "redis connection error"),
  });
  shutdown.add(`redis ${name}`, () => redis.disconnect());
  return redis;
}

function createEngine({ config, model, shape, metrics, logger }: Parts, log: TokenLog): Engine {
  const { endTokens, pieces, served } = model;
  return new Engine({
    shape,
    maxSequences: config.maxSequences,
    targetItl: config.targetItl,
    maxDrafts: config.speculate,
    recoveryTimeoutMs: config.recoveryTimeout * 1000,
    rules: { contextLength: served.contextLength, vocabSize: served.vocabSize, endTokens, pieces },
    activationBytes: model.activationBytes(config.activationType),
    log,
    metrics,
    logger,
  });
}

async function openConsumer(
  parts: Parts,
  sources: { readonly engine: Engine; readonly tokenLog: TokenLog; readonly redis: Redis },
): Promise<Consumer> {
  const { id, config, model, tracing, logger } = parts;
  const subscriber = await connect(parts, "cancellations");
  const cancellations = await Cancellations.open(subscriber, (requestId) => sources.engine.cancel(requestId));
  const connection = await connect(parts, "queue");
  return Consumer.open({
    ...sources,
    id,
    subscriber,
    model: model.served.name,
    connection,
    maxSequences: config.maxSequences,
    lockMs: 1000 * config.jobLock,
    cancellations,
    pace: new JobPace(),
    tracing,
    logger,
  });
}

/** Serves the model's file at full speed while nobody would notice: `isBusy` says whether requests are computed. */
function createWeightServer(
  { config, model: { file, served }, metrics, logger, shutdown }: Parts,
  isBusy: () => boolean,
): WeightServer {
  const { weightsDir: folder, weightsRate } = config;
  const thread = new HashThread();
  shutdown.add("hash thread", () => thread.close());
  let hashes: TensorHashes | undefined;
  return new WeightServer({
    served: async () => {
      if (file === null) return null;
      hashes ??= await TensorHashes.open({ file, thread, folder });
      return { name: served.name, file, tensors: null, hashes };
    },
    rate: new FairRate(() => (isBusy() && weightsRate > 0 ? weightsRate : Number.POSITIVE_INFINITY)),
    onSent: (bytes) => metrics.weightsSentBytes.inc(bytes),
    logger,
  });
}

function pipelineListener(engine: Engine, consumer: Consumer): PipelineListener {
  return {
    ready: (link) => {
      engine.attach(link);
      consumer.resume();
    },
    lost: (reason) => {
      consumer.pause();
      engine.detach(reason);
    },
    result: (step, result) => engine.record(step, result),
    prepared: (wireId, error) => engine.prepared(wireId, error),
    waitingSince: () => engine.waitingSince,
    settle: () => engine.settle(),
    isIdle: () => engine.counts.running === 0,
  };
}

const ACTIVATION_TYPES: Readonly<Record<ActivationTypeName, rhone.v1.ActivationType>> = {
  f32: rhone.v1.ActivationType.ACTIVATION_F32,
  f16: rhone.v1.ActivationType.ACTIVATION_F16,
  q8_0: rhone.v1.ActivationType.ACTIVATION_Q8_0,
};

function createPipeline(
  { id, security, config, model, shape, metrics, logger }: Parts,
  registry: WorkerRegistry,
  listener: PipelineListener,
): Pipeline {
  const { workers, kvType, maxSequences, stepTimeout } = config;
  const settings = { workers, grow: config.grow, kvType, kvPages: config.kvPages ?? null, maxSequences, shape };
  return new Pipeline({
    id,
    security,
    registry,
    workersNeeded: workers,
    weights: model.weights,
    grow: config.grow,
    plan: (members, lastPlan) => planPipeline(members, lastPlan, { model, settings }),
    spares: {
      count: config.spares,
      modelRef: modelRef(model),
      ...{ weights: model.weights, shape, pageBytes: model.pageBytes(kvType, shape.pageSize) },
    },
    shardSpec: (stage, pages) => shardSpec(stage, pages, { model, kvType, shape }),
    activationType: ACTIVATION_TYPES[config.activationType],
    stepTimeoutMs: stepTimeout * 1000,
    listener,
    metrics,
    logger,
  });
}
