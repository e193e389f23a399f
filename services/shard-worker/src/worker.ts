import { randomUUID } from "node:crypto";
import { freemem, hostname } from "node:os";
import {
  flowHandler,
  GrpcServer,
  type Logger,
  OperationsServer,
  PROTOCOL_VERSION,
  pipelineService,
  type Shutdown,
} from "@rhone/common";
import type { ShardWorkerConfig } from "./config.js";
import { createMetrics } from "./metrics.js";
import { ControlLink } from "./server/control-link.js";
import { StageRunner } from "./server/stage-runner.js";
import { openGgmlDevice } from "./shard/ggml-device.js";
import { ShardHolder } from "./shard/shard-holder.js";
import { simulatedDevice } from "./simulation/simulated-device.js";

/** What is left to the system and to the worker's own code. */
const MEMORY_SHARE = 0.9;

export interface ShardWorkerOptions {
  readonly config: ShardWorkerConfig;
  readonly logger: Logger;
  readonly shutdown: Shutdown;
}

/** Opens the device, serves frames, joins the coordinator. Throws what openGgmlDevice and binding throw. */
export async function startShardWorker({
  config,
  logger,
  shutdown,
}: ShardWorkerOptions): Promise<{ grpc: string; ops: string }> {
  const worker = `${hostname()}-${randomUUID().slice(0, 8)}`;
  const { simulate } = config;
  if (simulate !== undefined) logger.warn({ simulate }, "simulated: it computes nothing, and its tokens mean nothing");
  const device = simulate === undefined ? openGgmlDevice(config, shutdown) : simulatedDevice(simulate);
  const metrics = createMetrics();
  const runner = new StageRunner({ worker, metrics, logger });
  const holder = new ShardHolder({ device, modelsDir: config.modelsDir, runner, metrics, logger });
  shutdown.add("shard", () => holder.release());

  const { host, port, opsPort, advertiseHost = host } = config;
  const server = await GrpcServer.open({ host, port }, (services) => {
    const flow = flowHandler(() => ({ accept: (frame) => runner.accept(frame) }));
    services.addService(pipelineService, { flow });
  });
  shutdown.add("grpc", () => server.close());
  const address = `${advertiseHost}:${server.port}`;
  let control: ControlLink | undefined;
  const ops = await OperationsServer.open({
    host,
    port: opsPort,
    registry: metrics.registry,
    notReady: () => (control?.joined ? null : `not joined to the coordinator at ${config.coordinator}`),
    status: () => ({ ...hello, joined: control?.joined ?? false, steps: runner.steps }),
  });
  shutdown.add("operations server", () => ops.close());
  const hello = {
    worker,
    address,
    operations: `${advertiseHost}:${ops.port}`,
    protocol: PROTOCOL_VERSION,
    memoryTotal: config.memory ?? Math.floor(freemem() * MEMORY_SHARE),
    threads: config.threads,
    hostname: hostname(),
    pid: process.pid,
    ...device.facts,
  };
  control = new ControlLink({
    coordinator: config.coordinator,
    hello,
    heartbeat: () => ({ resident: process.memoryUsage.rss(), steps: runner.steps, busyUs: runner.busyUs }),
    onMessage: ({ load, calibrate, epoch, release }, answer) => {
      const fail = (err: unknown): void => logger.error({ err }, "an order of the coordinator failed");
      if (load != null) holder.load(load, answer).catch(fail);
      else if (calibrate != null) holder.calibrate(calibrate, answer).catch(fail);
      else if (epoch != null) runner.openEpoch(epoch).catch(fail);
      else if (release != null) holder.release().catch(fail);
    },
    onLost: (err) => logger.warn({ err }, "the coordinator is lost"),
    logger,
  });
  shutdown.add("control link", () => control?.close());
  return { grpc: address, ops: `${host}:${ops.port}` };
}
