// Processes of Rhone for a bench, on this machine, in a folder of their own.
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const fileAt = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

export const BREEZE = fileAt("models/breeze-q8_0.gguf");

export class Services {
  folder = mkdtempSync(join(tmpdir(), "rhone-bench-"));
  /** What the processes of a cluster without certificates share. */
  secretFile = this.#secret("cluster-secret");
  #children = [];

  /**
   * Starts a service, which then listens. Returns the addresses in its log, by name, and `kill`, which ends it as
   * kill -9 does.
   */
  async start(service, flags, env = {}) {
    return this.#spawn(fileAt(`services/${service}/dist/main.bundle.js`), flags, env);
  }

  /** Starts a Redis. Returns the variables by which a service finds it. */
  async redis(name = "redis") {
    const [port, passwordFile] = [await freePort(), this.#secret(`${name}-password`)];
    const folders = ["--data-folder", this.folder, "--run-folder", this.folder];
    const flags = [...folders, "--port", String(port), "--password-file", passwordFile];
    await this.#spawn(fileAt("cli/dist/redis/redis-host.bundle.js"), flags, {});
    return { REDIS_URL: `redis://127.0.0.1:${port}`, RHONE_REDIS_PASSWORD_FILE: passwordFile };
  }

  /** Resolves with the gateway's URL when it is ready. */
  async ready(url) {
    while (!(await fetch(`${url}/ready`)).ok) await sleep(100);
    return url;
  }

  async stop() {
    const running = this.#children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    const ends = running.map((child) => once(child, "exit"));
    for (const child of running) child.kill("SIGTERM");
    await Promise.all(ends);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #secret(name) {
    const file = join(this.folder, name);
    writeFileSync(file, randomBytes(32).toString("base64url"), { mode: 0o600 });
    return file;
  }

  async #spawn(file, flags, env) {
    const options = { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] };
    const child = spawn(process.execPath, [file, ...flags], options);
    this.#children.push(child);
    const kill = async () => {
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    };
    for await (const line of createInterface({ input: child.stdout })) {
      const entry = line.startsWith("{") ? JSON.parse(line) : {};
      if (entry.msg !== "listening") continue;
      child.stdout.resume();
      return { ...(entry.addresses ?? { http: entry.http }), kill };
    }
    throw new Error(`${file} ended`);
  }
}

const freePort = () =>
  new Promise((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

export function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}
