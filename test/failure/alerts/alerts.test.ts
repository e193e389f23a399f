import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { FrameLink, openSecurity } from "@rhone/common";
import { afterAll, beforeAll, expect, test } from "vitest";
import { barConnections } from "../../cluster/bar-connections.js";
import { freePort, type Prometheus, whyNoPrometheus } from "../../cluster/prometheus.js";
import type { SpawnedService } from "../../cluster/spawn-service.js";
import { AlertWatch, type Fault, PATIENCE } from "./alert-watch.js";
import { Load, type Pipeline, WatchedCluster } from "./watched-cluster.js";

// Every alert is made to fire by the fault that it is for, and to end when the fault is mended, with windows and waits
// that are shorter than those of the rules. It takes ten minutes, so it runs when it is asked to, and writes what it
// saw:
//   RHONE_ALERTS=bench/results/DATE-alerts.md npx vitest run --project failure test/failure/alerts
const REPORT = process.env.RHONE_ALERTS;
const why = REPORT === undefined ? "RHONE_ALERTS names no file" : whyNoPrometheus();

let cluster: WatchedCluster;
let watch: AlertWatch;
let prometheus: Prometheus;
const expectAlerts = (fault: Fault): Promise<void> => watch.expectAlerts(fault);

beforeAll(async () => {
  if (why !== null) return;
  cluster = await WatchedCluster.open();
  watch = await AlertWatch.start({ targets: `${cluster.url}/metrics/targets`, secret: cluster.secret });
  prometheus = watch.prometheus;
}, 120_000);

afterAll(async () => {
  if (why !== null) return;
  await watch?.stop();
  await cluster?.close();
  if (REPORT !== undefined && watch !== undefined) writeFileSync(REPORT, watch.report());
});

const skipped = why === null ? "" : ` (skipped: ${why})`;

test.skipIf(why !== null)(
  `alerts of lost processes, of Redis and of batches fire, and end${skipped}`,
  { timeout: 1_500_000 },
  async () => {
    let pipeline!: Pipeline;

    await expectAlerts({
      alerts: ["RhoneMetricsAbsent"],
      fault: "Prometheus runs, the cluster does not",
      mend: async () => {
        await cluster.needGateway();
        pipeline = await cluster.startPipeline({
          flags: ["--workers", "2", "--recovery-timeout", "60"],
          simulations: ["stage-ms=5", "stage-ms=5", "stage-ms=5"],
        });
      },
    });
    await expect.poll(async () => (await prometheus.query('up{job="shard-worker"} == 1')).length, PATIENCE).toBe(3);

    const spare = async () => {
      const { workers } = await pipeline.status();
      const at = workers.findIndex(({ layers }) => layers === null);
      const pid = workers[at]?.pid ?? 0;
      return { pid, operations: workers[at]?.operations ?? "" };
    };

    await expectAlerts({
      alerts: ["RhoneWorkersMissing"],
      fault: "kill -9 of the spare worker",
      make: async () => process.kill((await spare()).pid, "SIGKILL"),
      mend: () => pipeline.startWorker("stage-ms=5"),
    });

    let second!: SpawnedService;
    await expectAlerts({
      alerts: ["RhoneTargetDown"],
      fault: "SIGSTOP of a second gateway",
      make: async () => {
        second = await cluster.startGateway("g2", 0);
        await expect.poll(async () => (await prometheus.query('up{job="gateway"} == 1')).length, PATIENCE).toBe(2);
        void second.stop("SIGSTOP");
      },
      mend: async () => {
        void second.stop("SIGCONT");
        await second.stop("SIGKILL");
      },
    });

    let stalls = true;
    await expectAlerts({
      alerts: ["RhoneEventLoopStalls"],
      fault: "SIGSTOP of a worker for 0.6 s, again and again",
      make: async () => {
        const { pid } = await spare();
        while (stalls) {
          process.kill(pid, "SIGSTOP");
          await sleep(600);
          process.kill(pid, "SIGCONT");
          await sleep(1000);
        }
      },
      mend: () => {
        stalls = false;
      },
    });

    const traffic = new Load(cluster, 4);
    await sleep(5000);

    await expectAlerts({
      alerts: ["RhoneStepFailures", "RhonePipelineLost"],
      fault: "a malformed frame to the first stage",
      make: async () => {
        const { coordinator, epoch, workers } = await pipeline.status();
        const [first] = workers.filter(({ layers }) => layers?.[0] === 0);
        const security = openSecurity({ clusterSecretFile: cluster.secretFile, allowPlaintext: false } as Parameters<
          typeof openSecurity
        >[0]);
        const link = new FrameLink({
          address: first?.address ?? "",
          ...{ security, expect: { role: "worker" }, peer: "stage 0", onBroken: () => {} },
        });
        const frame = { pipeline: coordinator, epoch, step: 1, stepBody: { spans: [{ sequence: 9, count: 0 }] } };
        await new Promise<void>((resolve) => link.send(frame, resolve));
        await sleep(1000);
        link.close();
        security.close();
      },
      mend: () => expect.poll(pipeline.isReady, PATIENCE).toBe(true),
    });

    let batch = "";
    await expectAlerts({
      alerts: ["RhoneNoPipelineReady", "RhoneErrorsBurnFast", "RhoneErrorsBurnSlow", "RhoneBatchesWaiting"],
      fault: "kill -9 of all workers, with requests and a batch",
      make: async () => {
        for (const { pid } of (await pipeline.status()).workers) process.kill(pid, "SIGKILL");
        batch = await cluster.startBatch(3, 4);
      },
      mend: async () => {
        for (let worker = 0; worker < 3; worker++) await pipeline.startWorker("stage-ms=5");
        await expect.poll(pipeline.isReady, PATIENCE).toBe(true);
      },
    });
    await cluster.cancelBatch(batch);

    let flaps = true;
    await expectAlerts({
      alerts: ["RhonePipelineFlapping"],
      fault: "kill -9 of a stage, again and again",
      make: async () => {
        while (flaps) {
          await expect.poll(pipeline.isReady, PATIENCE).toBe(true);
          const { workers } = await pipeline.status();
          process.kill(workers.find(({ layers }) => layers !== null)?.pid ?? 0, "SIGKILL");
          await pipeline.startWorker("stage-ms=5");
        }
      },
      mend: () => {
        flaps = false;
      },
    });

    await expectAlerts({
      alerts: ["RhoneRedisAway"],
      fault: "SIGSTOP of Redis",
      make: () => cluster.redis.kill("SIGSTOP"),
      mend: () => cluster.redis.kill("SIGCONT"),
    });

    let slow = true;
    await expectAlerts({
      alerts: ["RhoneTokenLogSlow"],
      fault: "SIGSTOP of Redis for 1.5 s, again and again",
      make: async () => {
        while (slow) {
          cluster.redis.kill("SIGSTOP");
          await sleep(1500);
          cluster.redis.kill("SIGCONT");
          await sleep(500);
        }
      },
      mend: () => {
        slow = false;
      },
    });

    await expectAlerts({
      alerts: ["RhoneBatchLinesFailing"],
      fault: "a batch of prompts longer than the model's context",
      make: async () => {
        while ((await prometheus.query('rhone_batch_lines_total{outcome="error"}')).length === 0)
          await cluster.startBatch(20, 9000).then(() => sleep(3000));
        await cluster.startBatch(60, 9000);
      },
      mend: () => {},
    });

    await traffic.stop();
    await pipeline.end();
  },
);

test.skipIf(why !== null)(`alerts of too much load fire, and end${skipped}`, { timeout: 600_000 }, async () => {
  await cluster.needGateway();
  let load!: Load;
  let pipeline = await cluster.startPipeline({
    flags: ["--workers", "3", "--max-sequences", "1"],
    simulations: ["stage-ms=20", "stage-ms=20", "stage-ms=20"],
  });
  await expectAlerts({
    alerts: ["RhoneBubbleHigh", "RhoneQueueWaitsLong"],
    fault: "one sequence at a time on three stages (--max-sequences 1), and others wait behind a long answer",
    make: () => {
      load = new Load(cluster, 3, { max_tokens: 1500, ignore_eos: true, stream: true });
    },
    mend: () => load.stop(),
  });
  await expectAlerts({
    alerts: ["RhoneRefusals"],
    fault: "more requests than may wait (--max-queued 12)",
    make: () => {
      load = new Load(cluster, 40, { max_tokens: 400, ignore_eos: true, stream: true });
    },
    mend: () => load.stop(),
  });
  await pipeline.end();

  pipeline = await cluster.startPipeline({
    flags: ["--workers", "1", "--max-sequences", "8", "--kv-pages", "132"],
    simulations: ["stage-ms=5"],
  });
  await expectAlerts({
    alerts: ["RhoneKvPagesExhausted"],
    fault: "eight long answers with pages for one (--kv-pages 132)",
    make: () => {
      load = new Load(cluster, 8, { max_tokens: 1500, ignore_eos: true, stream: true });
    },
    mend: () => load.stop(),
  });
  await pipeline.end();

  pipeline = await cluster.startPipeline({
    flags: ["--workers", "2", "--max-sequences", "2"],
    simulations: ["stage-ms=6000", "stage-ms=600"],
  });
  await expectAlerts({
    alerts: [
      ...["RhoneStageImbalance", "RhoneFirstTokenBurnFast", "RhoneFirstTokenBurnSlow"],
      ...["RhoneNextTokenBurnFast", "RhoneNextTokenBurnSlow"],
    ],
    fault: "a stage that takes 6 s for a step, beside one that takes 0.6 s",
    make: () => {
      load = new Load(cluster, 2, { max_tokens: 3, ignore_eos: true, stream: true });
    },
    mend: () => load.stop(),
  });
  await pipeline.end();
});

test.skipIf(why !== null)(`alerts of a cut network fire, and end${skipped}`, { timeout: 600_000 }, async () => {
  await cluster.needGateway();
  const ports = [await freePort(), await freePort()];
  const barriers = await Promise.all(ports.map(barConnections));
  const places = ports.map((port) => ["--port", `${port}`, "--advertise-host", "127.0.0.2"]);
  const simulations = ["stage-ms=5", "stage-ms=5"];
  const pipeline = await cluster.startPipeline({ flags: ["--workers", "2"], simulations, places });
  const load = new Load(cluster, 2, { max_tokens: 100, ignore_eos: true });
  await expectAlerts({
    alerts: ["RhoneDetour"],
    fault: "two workers' connections to each other are cut, those of the coordinator are not",
    make: () => {
      for (const barrier of barriers) barrier.allowOnly(pipeline.coordinator.pid);
    },
    mend: () => {
      for (const barrier of barriers) barrier.allowOnly(null);
    },
  });
  await load.stop();
  for (const barrier of barriers) barrier.close();

  await pipeline.end();
});

test.skipIf(why !== null)(
  `the alert of a leak fires, and ends with its epoch${skipped}`,
  { timeout: 600_000 },
  async () => {
    await cluster.needGateway();
    const pipeline = await cluster.startPipeline({
      flags: ["--workers", "1"],
      simulations: ["stage-ms=5"],
      preload: new URL("leak-a-page.mjs", import.meta.url).href,
    });
    let load!: Load;
    await expectAlerts({
      alerts: ["RhoneKvPageLeak"],
      fault: "a coordinator whose pool of pages loses one (test/failure/alerts/leak-a-page.mjs)",
      make: async () => {
        // Prometheus takes no rise from a series that was not there before.
        const series = `rhone_kv_page_leaks_total{instance="${pipeline.coordinator.addresses.ops}"}`;
        const hasSeries = async () => (await prometheus.query(series)).length > 0;
        await expect.poll(hasSeries, PATIENCE).toBe(true);
        load = new Load(cluster, 1);
      },
      mend: async () => {
        const { epoch, workers } = await pipeline.status();
        for (const { pid } of workers) process.kill(pid, "SIGKILL");
        await pipeline.startWorker("stage-ms=5");
        const hasNewEpoch = async () => (await pipeline.isReady()) && (await pipeline.status()).epoch > epoch;
        await expect.poll(hasNewEpoch, PATIENCE).toBe(true);
      },
    });
    expect(pipeline.coordinator.log.join("\n")).toContain("pages are missing from the pool");
    await load.stop();
    await pipeline.end();
  },
);

test.skipIf(why !== null)(`no alert was left out${skipped}`, () => {
  expect(watch.unseen).toEqual([]);
});
