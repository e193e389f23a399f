import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ApiKeyStore, newApiKey, openRedis } from "@rhone/common";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { freePort } from "../cluster/prometheus.js";
import { type SpawnedService, spawnService } from "../cluster/spawn-service.js";

// A Redis that nobody wakes: it takes connections and commands, and answers none.

const BREEZE = fileURLToPath(new URL("../../models/breeze-q8_0.gguf", import.meta.url));
const hasRedisServer = spawnSync("redis-server", ["--version"]).status === 0;
const TIMEOUT = { timeout: 90_000 };
const PATIENCE = { timeout: 60_000, interval: 100 };
/** A look waits for Redis for 5 s, and a command for 20 s. */
const SOON_MS = 12_000;

const folder = mkdtempSync(join(tmpdir(), "rhone-frozen-"));
/** A gateway remembers a key for a second, and asks Redis for the other one. */
const [known, unknown] = ["a", "b"].map((name) =>
  newApiKey({ name, requestsPerMinute: null, tokensPerMinute: null, isAdmin: true }),
);
const shown = (each = known) => ({ authorization: `Bearer ${each?.secret}` });
let redis: ChildProcess;
let gateway: SpawnedService;
let url: string;

beforeAll(async () => {
  if (!hasRedisServer) return;
  const port = await freePort();
  redis = spawn("redis-server", ["--port", `${port}`, "--save", "", "--dir", folder], { stdio: "ignore" });
  const redisUrl = `redis://127.0.0.1:${port}`;
  const connect = () => openRedis({ url: redisUrl, name: "test", waits: true, onError: () => {} });
  const connection = await vi.waitFor(connect, PATIENCE);
  for (const each of [known, unknown]) if (each !== undefined) await new ApiKeyStore(connection).add(each.key);
  connection.disconnect();
  writeFileSync(join(folder, "secret"), "s".repeat(43), { mode: 0o600 });
  const flags = ["--model-path", BREEZE, "--model-name", "breeze", "--port", "0", "--auth", "keys"];
  const env = { REDIS_URL: redisUrl, RHONE_CLUSTER_SECRET_FILE: join(folder, "secret"), RHONE_HUNG_AFTER: "600" };
  gateway = await spawnService("gateway", [...flags, "--storage", join(folder, "storage")], { env });
  url = `http://${gateway.addresses.http}`;
});

afterAll(async () => {
  await gateway?.stop("SIGKILL");
  redis?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

const LOOKS = [
  ...["/health", "/ready", "/metrics", "/metrics/targets", "/status"],
  ...["/v1/models", "/v1/models/breeze", "/v1/keys", "/v1/files", "/v1/batches", "/tokenizer_info"],
];

/** What became of each look, and after how long all of them had an answer. */
async function look(key = known) {
  const headers = shown(key);
  const begun = performance.now();
  const ask = async (path: string) => {
    const response = await fetch(url + path, { headers });
    return [path, { code: response.status, body: await response.text() }] as const;
  };
  const answers = Object.fromEntries(await Promise.all(LOOKS.map(ask)));
  return { answers, tookMs: performance.now() - begun };
}

const codesOf = (answers: Awaited<ReturnType<typeof look>>["answers"], code: number) =>
  LOOKS.filter((path) => answers[path]?.code === code);

test.skipIf(!hasRedisServer)("nobody who only looks waits for it, and all are told why", TIMEOUT, async () => {
  const left = new AbortController();
  onTestFinished(() => left.abort());
  const stream = await fetch(`${url}/status/stream`, { headers: shown(), signal: left.signal });
  let seen = "";
  let hasEnded = false;
  const read = async (): Promise<void> => {
    for await (const bytes of stream.body ?? []) seen += Buffer.from(bytes).toString();
  };
  read()
    .catch(() => {}) // left
    .finally(() => {
      hasEnded = true;
    });
  const problems = () => seen.split('"problem":"Redis').length - 1;

  const before = await look();
  expect(codesOf(before.answers, 503)).toEqual(["/ready"]); // there is no coordinator

  redis.kill("SIGSTOP");
  await expect.poll(problems, PATIENCE).toBeGreaterThan(0); // by now nobody has an answer of before
  const { answers, tookMs } = await look(unknown);
  expect(tookMs).toBeLessThan(SOON_MS);
  expect(codesOf(answers, 200)).toEqual(["/health", "/metrics"]);
  expect(codesOf(answers, 503)).toEqual(LOOKS.filter((path) => path !== "/health" && path !== "/metrics"));
  for (const path of codesOf(answers, 503))
    expect(answers[path]?.body, path).toContain("Redis has not answered for 5 s");
  // Longer than it takes until a reader's key is looked at again.
  await expect.poll(problems, PATIENCE).toBeGreaterThan(2);
  expect(hasEnded).toBe(false);

  redis.kill("SIGCONT");
  await expect.poll(async () => codesOf((await look()).answers, 503), PATIENCE).toEqual(["/ready"]);
  await expect
    .poll(() => seen.lastIndexOf('"problem":null') > seen.lastIndexOf('"problem":"Redis'), PATIENCE)
    .toBe(true);
  expect(hasEnded).toBe(false);
});
