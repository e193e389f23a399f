import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const CACHE = join(homedir(), ".cache", "rhone", "prometheus");
const READY_MS = 60_000;

/** Undefined where it is not installed. */
function programOf(name: "prometheus" | "promtool"): string | undefined {
  const folder = [process.env.RHONE_PROMETHEUS_DIR, CACHE].find((each) => each && existsSync(join(each, name)));
  if (folder !== undefined) return join(folder, name);
  return spawnSync(name, ["--version"]).status === 0 ? name : undefined;
}

/** Why there is no Prometheus here, and how to get one; null where there is. */
export function whyNoPrometheus(): string | null {
  if (programOf("prometheus") !== undefined && programOf("promtool") !== undefined) return null;
  const build = "go install github.com/prometheus/prometheus/cmd/{prometheus,promtool}@v0.316.0";
  return `no prometheus and promtool: install Debian's package prometheus, or GOBIN=${CACHE} ${build}`;
}

/** Runs promtool, and returns what it printed. Rejects with that when it fails. */
export async function promtool(args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(programOf("promtool") ?? "promtool", args, { timeout: 180_000 }).catch(
    ({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => {
      throw new Error(`promtool ${args.join(" ")} failed:\n${stdout}${stderr}`);
    },
  );
  return stdout;
}

export interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly state: "pending" | "firing";
  readonly activeAt: string;
}

export interface PrometheusOptions {
  /** As in prometheus.yml. */
  readonly config: object;
  /** Texts of rule files, by name. */
  readonly rules?: Readonly<Record<string, string>>;
}

/** A Prometheus on a port of its own, with its data in a folder that goes with it. */
export class Prometheus {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
  }

  /** Throws with its log when it does not begin. */
  static async start({ config, rules = {} }: PrometheusOptions): Promise<Prometheus> {
    const folder = mkdtempSync(join(tmpdir(), "rhone-prometheus-"));
    mkdirSync(join(folder, "rules"));
    for (const [name, text] of Object.entries(rules)) writeFileSync(join(folder, "rules", name), text);
    const file = join(folder, "prometheus.yml"); // JSON is YAML
    writeFileSync(file, JSON.stringify({ ...config, rule_files: [join(folder, "rules", "*.yml")] }));
    const address = `127.0.0.1:${await freePort()}`;
    const flags = [`--config.file=${file}`, `--storage.tsdb.path=${join(folder, "data")}`];
    const program = programOf("prometheus") ?? "prometheus";
    const child = spawn(program, [...flags, `--web.listen-address=${address}`], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    child.stderr?.on("data", (bytes: Buffer) => {
      log = (log + bytes).slice(-8000);
    });
    const prometheus = new Prometheus(`http://${address}`, child, folder);
    const deadline = performance.now() + READY_MS;
    while (!(await prometheus.#isReady())) {
      if (child.exitCode !== null || performance.now() > deadline) {
        await prometheus.stop();
        throw new Error(`Prometheus did not begin:\n${log}`);
      }
      await sleep(100);
    }
    return prometheus;
  }

  /** The series of an expression now. Throws what Prometheus says of one that it can't evaluate. */
  async query(expr: string): Promise<readonly Series[]> {
    const body = new URLSearchParams({ query: expr });
    const answer = await (await fetch(`${this.url}/api/v1/query`, { method: "POST", body })).json();
    const { status, error, data } = answer as QueryAnswer;
    if (status !== "success" || data === undefined) throw new Error(`${expr}\n${error}`);
    if (data.resultType === "scalar") return [{ labels: {}, value: Number(data.result[1]) }];
    return data.result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }

  /** Those that are pending or firing. */
  async alerts(): Promise<readonly Alert[]> {
    const answer = (await (await fetch(`${this.url}/api/v1/alerts`)).json()) as { data: { alerts: Alert[] } };
    return answer.data.alerts;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #isReady(): Promise<boolean> {
    return fetch(`${this.url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  }
}

type Sample = readonly [time: number, value: string];

interface QueryAnswer {
  readonly status: string;
  readonly error?: string;
  readonly data?:
    | { readonly resultType: "scalar"; readonly result: Sample }
    | {
        readonly resultType: "vector";
        readonly result: readonly { readonly metric: Series["labels"]; readonly value: Sample }[];
      };
}

/** A port that nothing listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === "object" ? address.port : 0));
    });
  });
}
