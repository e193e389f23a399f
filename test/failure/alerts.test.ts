import { spawn } from "node:child_process";
import { setMaxListeners } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type ClusterStatus, FrameLink, openSecurity } from "@rhone/common";
import { afterAll, beforeAll, expect, test } from "vitest";
import { barConnections } from "../cluster/bar-connections.js";
import { ruleTexts } from "../cluster/monitoring-files.js";
import { freePort, Prometheus, whyNoPrometheus } from "../cluster/prometheus.js";
import { type SpawnedService, spawnService } from "../cluster/spawn-service.js";

// Every alert is made to fire by the fault that it is for, and to end when the fault is mended, with windows and waits
// that are shorter than those of the rules. It takes ten minutes, so it runs when it is asked to, and writes what it
// saw:
//   RHONE_ALERTS=bench/results/DATE-alerts.md npx vitest run --project failure test/failure/alerts.test.ts
const REPORT = process.env.RHONE_ALERTS;
const why = REPORT === undefined ? "RHONE_ALERTS names no file" : whyNoPrometheus();

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
const PATIENCE = { timeout: 120_000, interval: 250 };

/** Windows of the rules, and the same here; waits become one second. Thresholds stay as they are. */
const SHORTER: Readonly<Record<string, string>> = {
  "[1h:1m]": "[45s:1s]",
  "[1m]": "[5s]",
  "[5m]": "[15s]",
  "[10m]": "[20s]",
  "[15m]": "[90s]",
  "[30m]": "[20s]",
  "[1h]": "[30s]",
  "[6h]": "[45s]",
};

function shortened(text: string): string {
  const windows = text.replaceAll(/\[\d+[mh](?::1m)?\]/g, (window) => {
    const shorter = SHORTER[window];
    if (shorter === undefined) throw new Error(`There is no shorter window for ${window}`);
    return shorter;
  });
  return windows.replaceAll(/for: \d+[sm]/g, "for: 1s");
}

/** What was seen of one alert. */
interface Sighting {
  readonly alert: string;
  readonly fault: string;
  readonly labels: string;
  readonly firedAfterS: number;
  readonly clearedAfterS: number;
}

const sightings: Sighting[] = [];
const folder = mkdtempSync(join(tmpdir(), "rhone-alerts-"));
const secretFile = join(folder, "secret");
const secret = "a".repeat(43);
const env: NodeJS.ProcessEnv = { RHONE_CLUSTER_SECRET_FILE: secretFile, RHONE_HUNG_AFTER: "600" };

let prometheus: Prometheus;
let redis: Awaited<ReturnType<typeof startRedis>>;
let gatewayPort: number;
let url: string;
const running: SpawnedService[] = [];

async function startRedis() {
  const port = await freePort();
  const child = spawn("redis-server", ["--port", `${port}`, "--save", "", "--dir", folder], { stdio: "ignore" });
  return { port, child };
}

async function start(
  ...[service, flags, own = {}]: [Parameters<typeof spawnService>[0], string[], NodeJS.ProcessEnv?]
) {
  const spawned = await spawnService(service, flags, { env: { ...env, ...own } });
  running.push(spawned);
  return spawned;
}

const served = ["--model-path", BREEZE, "--model-name", "breeze"];

const startGateway = (id: string, port: number) =>
  start("gateway", [
    ...[...served, "--port", `${port}`, "--gateway-id", id, "--storage", join(folder, "storage")],
    ...["--pipeline-wait-ms", "200", "--max-queued", "12"],
  ]);

let isThere: Promise<unknown> | undefined;
const needGateway = (): Promise<unknown> => {
  isThere ??= startGateway("g1", gatewayPort);
  return isThere;
};

/** A coordinator of simulated workers. */
async function startPipeline(
  flags: readonly string[],
  simulations: readonly string[],
  places: readonly (readonly string[])[] = [],
) {
  const own = ["--port", "0", "--ops-port", "0", "--simulated", "true", "--sliding-window", "0", "--target-itl", "off"];
  const coordinator = await start("coordinator", [...served, ...own, ...flags]);
  const { grpc = "", ops = "" } = coordinator.addresses;
  const processes = [coordinator];
  const startWorker = async (simulate: string, place: readonly string[] = ["--port", "0"]) => {
    const joining = ["--coordinator", grpc, "--ops-port", "0", "--threads", "1", "--memory", "2000000000"];
    processes.push(await start("shard-worker", [...joining, ...place, "--simulate", simulate]));
  };
  await Promise.all(simulations.map((simulate, at) => startWorker(simulate, places[at])));
  const status = async () => {
    const headers = { "x-rhone-secret": secret };
    return (await (await fetch(`http://${ops}/status`, { headers })).json()) as ClusterStatus;
  };
  const isReady = async () => (await status()).state === "ready";
  await expect.poll(isReady, PATIENCE).toBe(true);
  const end = async () => {
    for (const each of processes) await each.stop("SIGKILL");
  };
  return { coordinator, startWorker, status, isReady, end };
}

type Pipeline = Awaited<ReturnType<typeof startPipeline>>;

beforeAll(async () => {
  if (why !== null) return;
  writeFileSync(secretFile, secret, { mode: 0o600 });
  redis = await startRedis();
  Object.assign(env, { REDIS_URL: `redis://127.0.0.1:${redis.port}` });
  gatewayPort = await freePort();
  url = `http://127.0.0.1:${gatewayPort}`;
  const authorization = { credentials: secret };
  const found = [{ url: `${url}/metrics/targets`, refresh_interval: "1s", authorization }];
  prometheus = await Prometheus.start({
    config: {
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      scrape_configs: [{ job_name: "rhone", http_sd_configs: found }],
    },
    rules: Object.fromEntries(Object.entries(ruleTexts()).map(([name, text]) => [name, shortened(text)])),
  });
}, 120_000);

afterAll(async () => {
  if (why !== null) return;
  await prometheus?.stop();
  for (const each of running) await each.stop("SIGKILL");
  redis?.child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
  if (REPORT !== undefined) writeFileSync(REPORT, report());
});

interface Fault {
  readonly alerts: readonly string[];
  readonly fault: string;
  /** The fault is there from the beginning when absent. */
  readonly make?: () => unknown;
  readonly mend: () => unknown;
}

async function firing(): Promise<readonly string[]> {
  const all = await prometheus.alerts();
  return all.flatMap(({ labels, state }) => (state === "firing" ? [labels.alertname ?? ""] : []));
}

/** Makes a fault, waits until its alerts fire, mends it, and waits until they are over. */
async function expectAlerts({ alerts, fault, make, mend }: Fault): Promise<void> {
  const already = async () => (await firing()).filter((name) => alerts.includes(name));
  if (make !== undefined)
    await expect.poll(already, { ...PATIENCE, message: `${fault}: alerts before it` }).toEqual([]);
  const begun = performance.now();
  const fired = new Map<string, { readonly afterS: number; readonly labels: string }>();
  const made = Promise.resolve(make?.());
  made.catch(() => {}); // awaited below
  await expect
    .poll(
      async () => {
        for (const { labels, state } of await prometheus.alerts()) {
          const { alertname = "", ...others } = labels;
          if (state !== "firing" || fired.has(alertname)) continue;
          fired.set(alertname, { afterS: (performance.now() - begun) / 1000, labels: JSON.stringify(others) });
        }
        return alerts.filter((name) => !fired.has(name));
      },
      { ...PATIENCE, message: `${fault}: alerts that did not fire` },
    )
    .toEqual([]);
  await mend();
  await made;
  const mended = performance.now();
  for (const alert of alerts) {
    const isOver = async () => !(await prometheus.alerts()).some(({ labels }) => labels.alertname === alert);
    await expect.poll(isOver, { ...PATIENCE, message: `${alert} does not end` }).toBe(true);
    const { afterS, labels } = fired.get(alert) ?? { afterS: Number.NaN, labels: "" };
    const clearedAfterS = (performance.now() - mended) / 1000;
    sightings.push({ alert, fault, labels, firedAfterS: afterS, clearedAfterS });
  }
}

/** Asks again and again, as many at a time, until it is stopped; what becomes of it does not matter. */
class Load {
  #stopped = false;
  readonly #leaving = new AbortController();
  readonly #askers: readonly Promise<void>[];

  constructor(atOnce: number, body: object = {}) {
    setMaxListeners(0, this.#leaving.signal); // fetch takes its listeners away when it is collected
    this.#askers = Array.from({ length: atOnce }, () => this.#ask(body));
  }

  async #ask(body: object): Promise<void> {
    while (!this.#stopped) {
      await post("/v1/completions", { prompt: "one two", max_tokens: 10, ...body }, this.#leaving.signal)
        .then((response) => response.text())
        .catch(() => {});
      await sleep(50);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#leaving.abort();
    await Promise.all(this.#askers);
  }
}

const post = (path: string, body: object, signal: AbortSignal | null = null): Promise<Response> =>
  fetch(`${url}${path}`, {
    ...{ method: "POST", body: JSON.stringify(body), signal },
    headers: { "content-type": "application/json" },
  });

/** `tokens`: of the prompt of each line. */
async function startBatch(lines: number, tokens: number): Promise<string> {
  const body = { prompt: Array.from({ length: tokens }, () => 5), max_tokens: 2 };
  const line = (id: number) => JSON.stringify({ custom_id: `${id}`, method: "POST", url: "/v1/completions", body });
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", new Blob([Array.from({ length: lines }, (_, id) => line(id)).join("\n")]), "in.jsonl");
  const file = (await (await fetch(`${url}/v1/files`, { method: "POST", body: form })).json()) as { id: string };
  const asked = { input_file_id: file.id, endpoint: "/v1/completions", completion_window: "24h" };
  return ((await (await post("/v1/batches", asked)).json()) as { id: string }).id;
}

const cancelBatch = (id: string) => post(`/v1/batches/${id}/cancel`, {});

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
        await needGateway();
        pipeline = await startPipeline(
          ["--workers", "2", "--recovery-timeout", "60"],
          ["stage-ms=5", "stage-ms=5", "stage-ms=5"],
        );
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
        second = await startGateway("g2", 0);
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

    const traffic = new Load(4);
    await sleep(5000);

    await expectAlerts({
      alerts: ["RhoneStepFailures", "RhonePipelineLost"],
      fault: "a malformed frame to the first stage",
      make: async () => {
        const { coordinator, epoch, workers } = await pipeline.status();
        const [first] = workers.filter(({ layers }) => layers?.[0] === 0);
        const security = openSecurity({ clusterSecretFile: secretFile, allowPlaintext: false } as Parameters<
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
        batch = await startBatch(3, 4);
      },
      mend: async () => {
        for (let worker = 0; worker < 3; worker++) await pipeline.startWorker("stage-ms=5");
        await expect.poll(pipeline.isReady, PATIENCE).toBe(true);
      },
    });
    await cancelBatch(batch);

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
      make: () => redis.child.kill("SIGSTOP"),
      mend: () => redis.child.kill("SIGCONT"),
    });

    let slow = true;
    await expectAlerts({
      alerts: ["RhoneTokenLogSlow"],
      fault: "SIGSTOP of Redis for 1.5 s, again and again",
      make: async () => {
        while (slow) {
          redis.child.kill("SIGSTOP");
          await sleep(1500);
          redis.child.kill("SIGCONT");
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
          await startBatch(20, 9000).then(() => sleep(3000));
        await startBatch(60, 9000);
      },
      mend: () => {},
    });

    await traffic.stop();
    await pipeline.end();
  },
);

test.skipIf(why !== null)(`alerts of too much load fire, and end${skipped}`, { timeout: 600_000 }, async () => {
  await needGateway();
  let load!: Load;
  let pipeline = await startPipeline(
    ["--workers", "3", "--max-sequences", "1"],
    ["stage-ms=20", "stage-ms=20", "stage-ms=20"],
  );
  await expectAlerts({
    alerts: ["RhoneBubbleHigh", "RhoneQueueWaitsLong"],
    fault: "one sequence at a time on three stages (--max-sequences 1), and others wait behind a long answer",
    make: () => {
      load = new Load(3, { max_tokens: 1500, ignore_eos: true, stream: true });
    },
    mend: () => load.stop(),
  });
  await expectAlerts({
    alerts: ["RhoneRefusals"],
    fault: "more requests than may wait (--max-queued 12)",
    make: () => {
      load = new Load(40, { max_tokens: 400, ignore_eos: true, stream: true });
    },
    mend: () => load.stop(),
  });
  await pipeline.end();

  pipeline = await startPipeline(["--workers", "1", "--max-sequences", "8", "--kv-pages", "132"], ["stage-ms=5"]);
  await expectAlerts({
    alerts: ["RhoneKvPagesExhausted"],
    fault: "eight long answers with pages for one (--kv-pages 132)",
    make: () => {
      load = new Load(8, { max_tokens: 1500, ignore_eos: true, stream: true });
    },
    mend: () => load.stop(),
  });
  await pipeline.end();

  pipeline = await startPipeline(["--workers", "2", "--max-sequences", "2"], ["stage-ms=6000", "stage-ms=600"]);
  await expectAlerts({
    alerts: [
      ...["RhoneStageImbalance", "RhoneFirstTokenBurnFast", "RhoneFirstTokenBurnSlow"],
      ...["RhoneNextTokenBurnFast", "RhoneNextTokenBurnSlow"],
    ],
    fault: "a stage that takes 6 s for a step, beside one that takes 0.6 s",
    make: () => {
      load = new Load(2, { max_tokens: 3, ignore_eos: true, stream: true });
    },
    mend: () => load.stop(),
  });
  await pipeline.end();
});

test.skipIf(why !== null)(`alerts of a cut network fire, and end${skipped}`, { timeout: 600_000 }, async () => {
  await needGateway();
  const ports = [await freePort(), await freePort()];
  const barriers = await Promise.all(ports.map(barConnections));
  const places = ports.map((port) => ["--port", `${port}`, "--advertise-host", "127.0.0.2"]);
  const pipeline = await startPipeline(["--workers", "2"], ["stage-ms=5", "stage-ms=5"], places);
  const load = new Load(2, { max_tokens: 100, ignore_eos: true });
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

/** A fault of our own that nothing provokes: its cases for promtool have to do. */
const UNPROVOKED = "RhoneKvPageLeak";

test.skipIf(why !== null)(`no alert was left out${skipped}`, () => {
  const named = ruleTexts()["alerts.yml"] + (ruleTexts()["slo.yml"] ?? "");
  const all = [...named.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);
  const seen = new Set([UNPROVOKED, ...sightings.map(({ alert }) => alert)]);
  expect(all.filter((name) => !seen.has(name ?? ""))).toEqual([]);
});

function report(): string {
  const row = ({ alert, fault, labels, firedAfterS, clearedAfterS }: Sighting) =>
    `| ${alert} | ${fault} | \`${labels}\` | ${firedAfterS.toFixed(1)} | ${clearedAfterS.toFixed(1)} |`;
  return `# Alerts, each by its fault

Simulated stages, one Prometheus that scrapes and evaluates every second, the rules of deploy/monitoring with shorter
windows (${Object.entries(SHORTER)
    .map(([from, to]) => `${from} as ${to}`)
    .join(", ")}) and waits of one second, and
thresholds as they are. "Fired" and "cleared" are what Prometheus' API said of each alert, in seconds after the fault
was made and after it was mended.

| alert | fault | labels | fired | cleared |
| ----- | ----- | ------ | ----: | ------: |
${sightings.map(row).join("\n")}
`;
}
