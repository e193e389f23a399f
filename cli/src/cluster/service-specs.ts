import { join } from "node:path";
import { loopbackOf } from "@rhone/common";
import { type CliConfig, childEnvironment, commandWriter } from "../config.js";
import type { DataDir } from "../data-dir.js";
import type { ClusterOptions } from "../launch/cluster-options.js";
import type { LaunchPlan, PipelinePlan } from "../launch/launch-plan.js";
import type { EntryPoints } from "../processes/entry-points.js";
import { type Addresses, type ServiceSpec, toArguments } from "../processes/service-process.js";
import type { RedisPlan } from "../redis/redis-plan.js";
import { securityEnvironment } from "./cluster-security.js";

export interface SpecSources {
  readonly config: Pick<CliConfig, "hungAfter">;
  readonly options: ClusterOptions;
  readonly plan: LaunchPlan;
  readonly redis: RedisPlan;
  readonly dataDir: DataDir;
  readonly entryPoints: EntryPoints;
}

const portOf = (address: string | undefined): string => address?.slice(address.lastIndexOf(":") + 1) ?? "0";

export function redisSpec(sources: SpecSources): ServiceSpec {
  const { redis, dataDir, entryPoints } = sources;
  return {
    ...limitsOf(sources),
    isOnlyCopy: redis.host?.inMemory ?? false,
    name: "redis",
    title: "Redis",
    entry: entryPoints.redisHost,
    args: redis.host?.args ?? [],
    env: childEnvironment({ RHONE_REDIS_PASSWORD: redis.host?.password }),
    logFile: join(dataDir.logs, "redis.log"),
  };
}

/** `previous`: its addresses before a restart; workers know it by these ports, so it takes them again. */
export function coordinatorSpec(
  sources: SpecSources,
  pipeline: PipelinePlan,
  previous: Addresses | undefined,
): ServiceSpec {
  const { options, plan, dataDir, entryPoints } = sources;
  const { model, label } = pipeline;
  const flags = {
    host: loopbackOf(options.host),
    port: portOf(previous?.grpc),
    "ops-port": portOf(previous?.ops),
    "model-path": model.path,
    "model-name": model.name,
    workers: pipeline.workers,
    "kv-type": options.kvType,
    "activation-type": options.activationType,
    "sliding-window": options.slidingWindow ?? model.slidingWindow,
    context: options.context,
    "target-itl": options.targetItl,
    speculate: options.speculate,
    "max-sequences": options.maxSequences,
    "max-rows": options.maxRows,
    simulated: options.simulate === undefined ? undefined : "true",
  };
  const name = label === "" ? "coordinator" : `coordinator-${plan.pipelines.indexOf(pipeline) + 1}`;
  return {
    ...limitsOf(sources),
    name,
    title: label === "" ? "The coordinator" : `The coordinator of ${label}`,
    entry: entryPoints.coordinator,
    args: toArguments(flags),
    env: withRedis(sources),
    logFile: join(dataDir.logs, `${name}.log`),
  };
}

export interface PlacedWorker {
  readonly pipeline: PipelinePlan;
  /** Within its pipeline, from 0. */
  readonly index: number;
  /** host:port of its coordinator. */
  readonly coordinator: string;
}

export function workerSpec(sources: SpecSources, { pipeline, index, coordinator }: PlacedWorker): ServiceSpec {
  const { options, dataDir, entryPoints } = sources;
  const flags = {
    coordinator,
    host: loopbackOf(options.host),
    port: 0,
    "ops-port": 0,
    threads: pipeline.threads,
    memory: pipeline.memory,
    device: options.device,
    kernels: options.kernels,
    simulate: options.simulate,
    "models-dir": dataDir.models,
  };
  const number = pipeline.workersBefore + index + 1;
  const name = `worker-${number}`;
  return {
    ...limitsOf(sources),
    name,
    title: `Worker ${number}${pipeline.label === "" ? "" : ` of ${pipeline.label}`}`,
    entry: entryPoints.shardWorker,
    args: toArguments(flags),
    env: childEnvironment(securityEnvironment(dataDir)),
    logFile: join(dataDir.logs, `${name}.log`),
  };
}

export function gatewaySpec(sources: SpecSources, previous: Addresses | undefined): ServiceSpec {
  const { options, plan, dataDir, entryPoints } = sources;
  const [model, ...more] = plan.models;
  const flags = {
    host: options.host,
    port: previous?.http === undefined ? options.port : portOf(previous.http),
    "model-path": model.path,
    "model-name": model.name,
    "chat-template": model.chatTemplate,
    models:
      more.length === 0
        ? undefined
        : JSON.stringify(more.map(({ path, name, chatTemplate }) => ({ path, name, chatTemplate }))),
    storage: options.storage ?? dataDir.storage,
    "s3-endpoint": options.s3Endpoint,
    "s3-region": options.s3Region,
    "s3-path-style": options.s3PathStyle,
    auth: options.auth,
    "keys-command": commandWriter(dataDir.root)("keys create NAME"),
  };
  return {
    ...limitsOf(sources),
    name: "gateway",
    title: "The gateway",
    entry: entryPoints.gateway,
    args: toArguments(flags),
    env: withRedis(sources),
    logFile: join(dataDir.logs, "gateway.log"),
  };
}

const limitsOf = ({ config }: SpecSources) => ({ hungAfterMs: config.hungAfter * 1000 });
const withRedis = ({ redis, dataDir }: SpecSources): NodeJS.ProcessEnv =>
  childEnvironment({ ...securityEnvironment(dataDir), REDIS_URL: redis.url });
