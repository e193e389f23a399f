import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import {
  advertisedHost,
  describePart,
  flowHandler,
  formatBytes,
  frameBytes,
  GrpcServer,
  Heartbeats,
  hostPort,
  type Logger,
  MemoryClaim,
  OperationsServer,
  openSecurity,
  PROTOCOL_VERSION,
  pipelineService,
  type Security,
  type Shutdown,
  type UnclaimedMemory,
  unclaimedMemory,
  type WorkerMessage,
  type WorkerStanding,
  weightsService,
} from "@rhone/common";
import { FairRate, FetchedFiles, HashThread, WeightCache, WeightServer } from "@rhone/weights";
import type { ShardWorkerConfig } from "./config.js";
import { createMetrics, type Metrics } from "./metrics.js";
import { ControlLink, type ControlLinkOptions } from "./server/control-link.js";
import { StageRunner } from "./server/stage-runner.js";
import { Standing } from "./server/standing.js";
import type { Device } from "./shard/device.js";
import { openGgmlDevice } from "./shard/ggml-device.js";
import { ShardHolder } from "./shard/shard-holder.js";
import { simulatedDevice } from "./simulation/simulated-device.js";
import { type EpochOrder, readEpoch } from "./wire/read-order.js";

/** After a step, another one is expected for this long. */
const BUSY_FOR_MS = 1000;
/** The rest is left to the system and to the worker's own code. */
const MEMORY_SHARE = 0.9;

export interface ShardWorkerOptions {
  readonly config: ShardWorkerConfig;
  readonly logger: Logger;
  readonly shutdown: Shutdown;
  /** Told at each change how far the worker is on its way into a pipeline. */
  readonly tell?: (standing: WorkerStanding) => void;
}

/** Opens the device, serves frames, joins the coordinator. Throws what openGgmlDevice and binding throw. */
export async function startShardWorker({
  config,
  logger,
  shutdown,
  tell = () => {},
}: ShardWorkerOptions): Promise<{ grpc: string; ops: string }> {
  const security = openSecurity(config, logger);
  shutdown.add("security", () => security.close());
  const worker = security.name ?? `${hostname()}-${randomUUID().slice(0, 8)}`;
  const device = openDevice({ config, logger, shutdown });
  const metrics = createMetrics();
  metrics.kernels.set({ kernels: device.facts.kernels ?? "" }, 1);
  const runner = new StageRunner({ worker, security, metrics, logger });
  const files = openFiles({ config, logger, shutdown }, { security, metrics });
  const claim = new MemoryClaim();
  shutdown.add("memory claim", () => claim.close());
  const onHost = device.facts.device === "CPU";
  const { bytes: memoryTotal, from: memoryFrom } =
    givenMemory(config) ?? memoryOf(device) ?? (onHost ? await claim.take(share) : share(unclaimedMemory()));
  logger.info({ memoryTotal, memoryFrom }, "memory for weights and pages");
  const onHeld = (bytes: number): void => {
    if (onHost) claim.hold(bytes);
  };
  if (config.memory !== undefined) onHeld(0); // a part of its supervisor's claim, whatever it loads
  const holder = new ShardHolder({ device, files, runner, metrics, onHeld, logger });
  shutdown.add("shard", () => holder.release());
  const { host, port, opsPort } = config;
  const weights = new WeightServer({
    served: async () => holder.given && { name: "", ...holder.given, hashes: null },
    rate: rateBeside(runner, config.weightsRate),
    onSent: (bytes) => metrics.weightsSentBytes.inc(bytes),
    logger,
  });
  const mostFrameBytes = (): number => frameBytes(runner.stepBytes);
  const server = await GrpcServer.open({ host, port, security, mostFrameBytes }, (services) => {
    services.addService(weightsService, weights.handlers);
    const flow = flowHandler((sender) => ({ accept: (frame) => runner.accept(frame, sender) }));
    services.addService(pipelineService, { flow });
  });
  shutdown.add("grpc", () => server.close());
  let control: ControlLink | undefined;
  const ops = await OperationsServer.open({
    host,
    port: opsPort,
    security,
    metricsTokenFile: config.metricsTokenFile,
    registry: metrics.registry,
    notReady: () => (control?.joined ? null : `not joined to the coordinator at ${config.coordinator}`),
    status: () => ({ ...hello, joined: control?.joined ?? false, steps: runner.steps }),
  });
  shutdown.add("operations server", () => ops.close());
  const advertiseHost = advertisedHost(config, logger);
  const address = hostPort(advertiseHost, server.port);
  const operations = hostPort(advertiseHost, ops.port);
  const hello = { worker, address, operations, ...machineFacts(config), memoryTotal, memoryFrom, ...device.facts };
  const { coordinator } = config;
  const obey = obeyOrders(holder, runner, logger);
  const heartbeats = new Heartbeats({
    ...{ coordinator, security, worker },
    counts: () => runner,
    onSilent: () => control?.silent(),
  });
  shutdown.add("heartbeats", () => heartbeats.close());
  const standing = new Standing(tell);
  control = new ControlLink({
    coordinator,
    security,
    hello,
    heartbeats,
    onMessage: (message, answer) => {
      standing.heard(message);
      if (message.standing?.model) metrics.serves(message.standing.model);
      obey(message, (answered) => {
        standing.answered(answered);
        answer(answered);
      });
    },
    onWelcome: () => standing.joined(),
    onRefused: (error) => standing.notJoined(error),
    onLost: (error) => {
      logger.warn({ reason: error.message }, "the coordinator is lost");
      standing.notJoined(error);
    },
    logger,
  });
  shutdown.add("control link", async () => {
    await control?.leave(1000 * config.leaveTimeout, shutdown.hurry);
    control?.close();
  });
  return { grpc: address, ops: hostPort(host, ops.port) };
}

function openDevice({ config, logger, shutdown }: ShardWorkerOptions): Device {
  const { simulate } = config;
  if (simulate === undefined) return openGgmlDevice({ config, logger, shutdown });
  logger.warn({ simulate }, "simulated: it computes nothing, and its tokens mean nothing");
  return simulatedDevice(simulate);
}

/** `rate` bytes per second while steps run, 0: no limit; and no limit without steps. */
function rateBeside(runner: StageRunner, rate: number): FairRate {
  let steps = runner.steps;
  let steppedAt = Number.NEGATIVE_INFINITY;
  return new FairRate(() => {
    const now = performance.now();
    if (runner.steps !== steps) steppedAt = now;
    steps = runner.steps;
    return now - steppedAt < BUSY_FOR_MS && rate > 0 ? rate : Number.POSITIVE_INFINITY;
  });
}

function openFiles(
  { config, logger, shutdown }: ShardWorkerOptions,
  { security, metrics }: { readonly security: Security; readonly metrics: Metrics },
): FetchedFiles {
  const { coordinator, modelsDir, weightsDir, weightsBytes } = config;
  const thread = new HashThread();
  shutdown.add("hash thread", () => thread.close());
  const cache = new WeightCache({ folder: weightsDir, mostBytes: weightsBytes });
  const counts = {
    received: (bytes: number) => metrics.weightsFetchedBytes.inc(bytes),
    wrong: () => metrics.weightsWrong.inc(),
  };
  return new FetchedFiles({ coordinator, security, modelsDir, cache, thread, counts, logger });
}

/** Bytes, and where they come from, in words; null: nobody has said how many. */
const givenMemory = ({ memory: bytes, memoryFrom: from }: ShardWorkerConfig) =>
  bytes === undefined ? null : { bytes, from };

/** Null: its shards are in the machine's memory. */
function memoryOf({ memoryFree, facts }: Device): { readonly bytes: number; readonly from: string } | null {
  if (memoryFree === null) return null;
  const bytes = Math.floor(MEMORY_SHARE * memoryFree);
  return { bytes, from: `${100 * MEMORY_SHARE} % of ${formatBytes(memoryFree)} free on ${facts.device}` };
}

function share(memory: UnclaimedMemory) {
  const bytes = Math.floor(MEMORY_SHARE * memory.bytes);
  return { bytes, from: describePart(bytes, memory) };
}

function machineFacts({ threads }: ShardWorkerConfig) {
  return {
    protocol: PROTOCOL_VERSION,
    threads,
    hostname: hostname(),
    pid: process.pid,
  };
}

/** The neighbour and the coordinator may both be fine when the link between stages breaks: only its sender knows. */
function openEpoch(order: EpochOrder, runner: StageRunner, answer: (message: WorkerMessage) => void): Promise<void> {
  const { pipeline, epoch } = order;
  return runner.openEpoch(order, {
    broken: ({ message }, barred) => answer({ broken: { pipeline, epoch, message, barred } }),
    proven: () => answer({ proven: { pipeline, epoch } }),
  });
}

function obeyOrders(holder: ShardHolder, runner: StageRunner, logger: Logger): ControlLinkOptions["onMessage"] {
  const obey: (...order: Parameters<ControlLinkOptions["onMessage"]>) => Promise<void> = async (
    { load, calibrate, epoch, release, spares },
    answer,
  ) => {
    if (load != null) await holder.load(load, answer);
    else if (calibrate != null) await holder.calibrate(calibrate, answer);
    else if (epoch != null) await openEpoch(readEpoch(epoch), runner, answer);
    else if (release != null) await holder.release(release);
    else if (spares != null) await holder.hold(spares, answer);
  };
  return (message, answer) => {
    obey(message, answer).catch((err: unknown) => logger.error({ err }, "an order of the coordinator failed"));
  };
}
