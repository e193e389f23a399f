import { type ChildProcess, spawn } from "node:child_process";
import { setMaxListeners } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { ClusterStatus } from "@rhone/common";
import { expect } from "vitest";
import { freePort } from "../../cluster/prometheus.js";
import { type SpawnedService, type SpawnOptions, spawnService } from "../../cluster/spawn-service.js";
import { PATIENCE } from "./alert-watch.js";

const BREEZE = fileURLToPath(new URL("../../../models/breeze-q8_0.gguf", import.meta.url));
const SERVED = ["--model-path", BREEZE, "--model-name", "breeze"];

export interface PipelineOptions {
  readonly flags: readonly string[];
  /** What each worker simulates. */
  readonly simulations: readonly string[];
  /** Flags of the workers' ports; default: any. */
  readonly places?: readonly (readonly string[])[];
  /** Of the coordinator. */
  readonly preload?: string;
}

export type Pipeline = Awaited<ReturnType<WatchedCluster["startPipeline"]>>;

/** A Redis, and gateways and pipelines of simulated workers, which a test starts and hurts one by one. */
export class WatchedCluster {
  readonly folder = mkdtempSync(join(tmpdir(), "rhone-alerts-"));
  readonly secretFile = join(this.folder, "secret");
  readonly secret = "a".repeat(43);
  readonly redis: ChildProcess;
  /** Of the first gateway, once it is there. */
  readonly url: string;
  readonly #gatewayPort: number;
  readonly #env: NodeJS.ProcessEnv;
  readonly #running: SpawnedService[] = [];
  #firstGateway: Promise<unknown> | undefined;

  private constructor({ redisPort, gatewayPort }: { readonly redisPort: number; readonly gatewayPort: number }) {
    writeFileSync(this.secretFile, this.secret, { mode: 0o600 });
    const flags = ["--port", `${redisPort}`, "--save", "", "--dir", this.folder];
    this.redis = spawn("redis-server", flags, { stdio: "ignore" });
    this.#gatewayPort = gatewayPort;
    this.url = `http://127.0.0.1:${gatewayPort}`;
    const redisUrl = `redis://127.0.0.1:${redisPort}`;
    this.#env = { REDIS_URL: redisUrl, RHONE_CLUSTER_SECRET_FILE: this.secretFile, RHONE_HUNG_AFTER: "600" };
  }

  /** With a Redis alone. */
  static async open(): Promise<WatchedCluster> {
    return new WatchedCluster({ redisPort: await freePort(), gatewayPort: await freePort() });
  }

  async close(): Promise<void> {
    for (const each of this.#running) await each.stop("SIGKILL");
    this.redis.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  startGateway(id: string, port: number): Promise<SpawnedService> {
    return this.#start("gateway", [
      ...[...SERVED, "--port", `${port}`, "--gateway-id", id, "--storage", join(this.folder, "storage")],
      ...["--pipeline-wait-ms", "200", "--max-queued", "12"],
    ]);
  }

  /** Starts the first gateway, unless it was. */
  needGateway(): Promise<unknown> {
    this.#firstGateway ??= this.startGateway("g1", this.#gatewayPort);
    return this.#firstGateway;
  }

  /** A coordinator of simulated workers, once it is ready. */
  async startPipeline({ flags, simulations, places = [], preload }: PipelineOptions) {
    const own = ["--port", "0", "--ops-port", "0", "--simulated", "true", "--sliding-window", "0"];
    const all = [...SERVED, ...own, "--target-itl", "off", ...flags];
    const coordinator = await this.#start("coordinator", all, preload === undefined ? {} : { preload });
    const { grpc = "", ops = "" } = coordinator.addresses;
    const processes = [coordinator];
    const startWorker = async (simulate: string, place: readonly string[] = ["--port", "0"]) => {
      const joining = ["--coordinator", grpc, "--ops-port", "0", "--threads", "1", "--memory", "2000000000"];
      processes.push(await this.#start("shard-worker", [...joining, ...place, "--simulate", simulate]));
    };
    await Promise.all(simulations.map((simulate, at) => startWorker(simulate, places[at])));
    const status = async () => {
      const headers = { "x-rhone-secret": this.secret };
      return (await (await fetch(`http://${ops}/status`, { headers })).json()) as ClusterStatus;
    };
    const isReady = async () => (await status()).state === "ready";
    await expect.poll(isReady, PATIENCE).toBe(true);
    const end = async () => {
      for (const each of processes) await each.stop("SIGKILL");
    };
    return { coordinator, startWorker, status, isReady, end };
  }

  post(path: string, body: object, signal: AbortSignal | null = null): Promise<Response> {
    return fetch(this.url + path, {
      ...{ method: "POST", body: JSON.stringify(body), signal },
      headers: { "content-type": "application/json" },
    });
  }

  /** `tokens`: of the prompt of each line. */
  async startBatch(lines: number, tokens: number): Promise<string> {
    const body = { prompt: Array.from({ length: tokens }, () => 5), max_tokens: 2 };
    const line = (id: number) => JSON.stringify({ custom_id: `${id}`, method: "POST", url: "/v1/completions", body });
    const form = new FormData();
    form.set("purpose", "batch");
    form.set("file", new Blob([Array.from({ length: lines }, (_, id) => line(id)).join("\n")]), "in.jsonl");
    const uploaded = await fetch(`${this.url}/v1/files`, { method: "POST", body: form });
    const file = (await uploaded.json()) as { id: string };
    const asked = { input_file_id: file.id, endpoint: "/v1/completions", completion_window: "24h" };
    return ((await (await this.post("/v1/batches", asked)).json()) as { id: string }).id;
  }

  cancelBatch(id: string): Promise<Response> {
    return this.post(`/v1/batches/${id}/cancel`, {});
  }

  async #start(
    service: "coordinator" | "gateway" | "shard-worker",
    flags: readonly string[],
    options: SpawnOptions = {},
  ) {
    const spawned = await spawnService(service, flags, { env: this.#env, ...options });
    this.#running.push(spawned);
    return spawned;
  }
}

/** Asks again and again, as many at a time, until it is stopped; what becomes of it does not matter. */
export class Load {
  #stopped = false;
  readonly #cluster: Pick<WatchedCluster, "post">;
  readonly #leaving = new AbortController();
  readonly #askers: readonly Promise<void>[];

  constructor(cluster: Pick<WatchedCluster, "post">, atOnce: number, body: object = {}) {
    this.#cluster = cluster;
    setMaxListeners(0, this.#leaving.signal); // fetch takes its listeners away when it is collected
    this.#askers = Array.from({ length: atOnce }, () => this.#ask(body));
  }

  async #ask(body: object): Promise<void> {
    while (!this.#stopped) {
      await this.#cluster
        .post("/v1/completions", { prompt: "one two", max_tokens: 10, ...body }, this.#leaving.signal)
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
