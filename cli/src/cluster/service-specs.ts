import { join } from "node:path";
import { hostPort, loopbackOf } from "@rhone/common";
import { type CliConfig, childEnvironment, commandWriter } from "../config.js";
import type { DataDir } from "../data-dir.js";
import { type IdentityPaths, type Listening, workerPort } from "../enrollment/listening.js";
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
  /** Absent: nothing listens for other machines, and this machine's processes know each other by its secret. */
  readonly listening?: Listening | undefined;
}

/** A disk that is slow for seconds holds up a Redis that is well, and what one in memory holds ends with it. */
const LEAST_REDIS_HUNG_S = 10;

const portOf = (address: string | undefined): string => address?.slice(address.lastIndexOf(":") + 1) ?? "0";

export function redisSpec(sources: SpecSources): ServiceSpec {
  const { redis, dataDir, entryPoints } = sources;
  const hungAfter = Math.max(sources.config.hungAfter, LEAST_REDIS_HUNG_S);
  return {
    hungAfterMs: hungAfter * 1000,
    name: "redis",
    title: "Redis",
    entry: entryPoints.redisHost,
    args: [...(redis.host?.args ?? []), "--hung-after", String(hungAfter)],
    env: childEnvironment(),
    logFile: join(dataDir.logs, "redis.log"),
  };
}

/** `previous`: its addresses, before a restart too; workers know it by these ports. */
export function coordinatorSpec(sources: SpecSources, pipeline: PipelinePlan, previous: Addresses): ServiceSpec {
  const { options, plan, dataDir, entryPoints, listening } = sources;
  const { model, label } = pipeline;
  const index = plan.pipelines.indexOf(pipeline);
  const flags = {
    host: listening?.place.bind ?? loopbackOf(options.host),
    "advertise-host": listening?.place.advertise,
    port: portOf(previous.grpc),
    grow: listening === undefined ? undefined : "true",
    "ops-port": portOf(previous.ops),
    "model-path": model.path,
    "model-name": model.name,
    "weights-dir": dataDir.weights,
    workers: pipeline.workers,
    spares: options.spares,
    "kv-type": options.kvType,
    "activation-type": options.activationType,
    "sliding-window": options.slidingWindow ?? model.slidingWindow,
    context: options.context,
    "target-itl": options.targetItl,
    speculate: options.speculate,
    "max-sequences": options.maxSequences,
    "max-rows": options.maxRows,
    simulated: options.simulate === undefined ? undefined : "true",
    ...tracesOf(options),
  };
  const name = label === "" ? "coordinator" : `coordinator-${index + 1}`;
  return {
    ...limitsOf(sources),
    name,
    title: label === "" ? "The coordinator" : `The coordinator of ${label}`,
    entry: entryPoints.coordinator,
    args: toArguments(flags),
    env: withRedis(sources, listening?.coordinator),
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
  const { options, dataDir, entryPoints, listening } = sources;
  const place = pipeline.workersBefore + index;
  const flags = {
    coordinator,
    host: listening?.place.bind ?? loopbackOf(options.host),
    "advertise-host": listening?.place.advertise,
    port: listening === undefined ? 0 : workerPort(listening.port, place),
    "ops-port": 0,
    threads: pipeline.threads,
    memory: pipeline.memory,
    "memory-from": pipeline.memoryFrom,
    device: options.device,
    kernels: options.kernels,
    simulate: options.simulate,
    "models-dir": dataDir.models,
    "weights-dir": dataDir.weights,
  };
  const number = place + 1;
  const name = `worker-${number}`;
  return {
    ...limitsOf(sources),
    name,
    title: `Worker ${number}${pipeline.label === "" ? "" : ` of ${pipeline.label}`}`,
    entry: entryPoints.shardWorker,
    args: toArguments(flags),
    env: childEnvironment(securityEnvironment(dataDir, listening?.workers[place])),
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
    "join-address": joinAddress(sources),
    ...tracesOf(options),
    "keys-command": commandWriter(dataDir.root)("keys create NAME"),
  };
  return {
    ...limitsOf(sources),
    name: "gateway",
    socketVariable: "RHONE_GATEWAY_SOCKET",
    title: "The gateway",
    entry: entryPoints.gateway,
    args: toArguments(flags),
    env: withRedis(sources, sources.listening?.gateway),
    logFile: join(dataDir.logs, "gateway.log"),
  };
}

/** Undefined where no other machine may join, or the port was the system's choice. */
const joinAddress = ({ listening }: SpecSources): string | undefined =>
  listening === undefined || listening.port === 0 ? undefined : hostPort(listening.place.advertise, listening.port);

const tracesOf = ({ otlpEndpoint, tracesSamplerArg }: ClusterOptions) => ({
  "otlp-endpoint": otlpEndpoint,
  "traces-sampler-arg": tracesSamplerArg,
});

const limitsOf = ({ config }: SpecSources) => ({ hungAfterMs: config.hungAfter * 1000 });
function withRedis({ redis, dataDir }: SpecSources, identity: IdentityPaths | undefined): NodeJS.ProcessEnv {
  const isOurs = redis.host?.password !== undefined;
  const place = isOurs
    ? { REDIS_URL: redis.url.replace(/\/\/[^@]*@/, "//"), RHONE_REDIS_PASSWORD_FILE: dataDir.redisPassword }
    : { REDIS_URL: redis.url, ...(redis.host !== undefined && { RHONE_REDIS_PASSWORD_FILE: undefined }) };
  return childEnvironment({ ...securityEnvironment(dataDir, identity), ...place });
}
