import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { type Attack, type AttackFigures, BenchTarget, measureAttack, watchTarget } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pidsOf } from "../cluster/processes.js";
import { RunningCluster } from "../cluster/start-cluster.js";

/** Longest that another client's stream may be held up, on two cores of which the attacker has one. */
const MOST_MS = 800;
/** Most that a process may hold more. */
const MOST_BYTES = 150e6;
/** Most that the logs of all processes may have more. */
const MOST_LOGGED = 50_000;
/** Endpoints and statuses that an attack may be the first to name. */
const MOST_LINES = 50;
const PACE = { usualMs: 300, patienceMs: 15_000, afterMs: 500 };

const COUNT = 2000;
/** Of them, on a machine that is busy. */
const LEAST_ANSWERED = 200;
const AT_ONCE = { atOnce: 256 };
const COMPLETIONS = "/v1/completions";
const body = { prompt: "x", max_tokens: 1 };

let cluster: RunningCluster;
let target: BenchTarget;
let watcher: Awaited<ReturnType<typeof watchTarget>>;
/** Of a key that may send one request in a minute. */
let limited: Readonly<Record<string, string>>;
beforeAll(async () => {
  const env = { RHONE_BODY_LIMIT_BYTES: "100000" };
  cluster = await RunningCluster.start(["--workers", "2", "--auth", "keys"], { env });
  const { supervisor = 0 } = pidsOf(cluster);
  const clusterSecret = readFileSync(join(cluster.dataDir, "cluster-secret"), "utf8");
  const apiKey = await cluster.createKey("watcher");
  limited = { authorization: `Bearer ${await cluster.createKey("limited", { requestsPerMinute: 1 })}` };
  const { signal } = new AbortController();
  target = await BenchTarget.open(cluster.url, { signal, apiKey, clusterSecret, roots: [supervisor] });
  watcher = await watchTarget(target);
});
afterAll(async () => {
  await watcher?.close();
  target?.close();
  await cluster?.stop();
});

/** Keys that nobody has; of the right form, so that they are looked up. */
const wrong = (index: number): string => `rhone_sk_${String(index).padStart(12, "0")}_${"x".repeat(43)}`;
const unique = (index: number): string => `${index}-${Math.random().toString(36).slice(2)}`;
/** Longer than a body may be, which the gateway tells by the header. */
const TOO_LONG = { "content-length": "200000" };

type Request = Parameters<Parameters<Attack["send"]>[0]["send"]>[0];

const FLOODS: readonly (readonly [status: number, what: string, make: (index: number) => Request])[] = [
  [401, "keys that nobody has", (i) => ({ path: COMPLETIONS, body, headers: { authorization: `Bearer ${wrong(i)}` } })],
  [404, "paths that do not exist", (i) => ({ path: `/v1/${unique(i)}`, body })],
  [404, "models that do not exist", (i) => ({ path: COMPLETIONS, body: { ...body, model: unique(i) } })],
  [405, "methods that a path does not take", () => ({ path: COMPLETIONS, method: "DELETE" })],
  [413, "bodies that are too long", () => ({ path: COMPLETIONS, body, headers: TOO_LONG })],
  [429, "a key that has sent too many", () => ({ path: COMPLETIONS, body, headers: limited })],
];

const logged = (): number => {
  const folder = join(cluster.dataDir, "logs");
  return readdirSync(folder).reduce((bytes, name) => bytes + statSync(join(folder, name)).size, 0);
};

async function metricLines(): Promise<number> {
  const page = await (await fetch(`${cluster.url}/metrics`)).text();
  return page.split("\n").filter((line) => line !== "" && !line.startsWith("#")).length;
}

const withinBounds = ({ gapMs, usualGapMs, memory }: AttackFigures) => ({
  gap: gapMs <= usualGapMs + MOST_MS,
  memory: memory.every(({ before, most }) => most < before + MOST_BYTES),
});

test.each(FLOODS)("a flood that gets %i, for %s", { retry: 1, timeout: 90_000 }, async (status, what, make) => {
  const before = { logged: logged(), lines: await metricLines() };
  const send: Attack["send"] = (sender) => sender.repeat(COUNT, make, AT_ONCE);
  const figures = await measureAttack(
    { target, watcher },
    { name: `${status} ${what}`, description: what, send },
    PACE,
  );
  const grown = { logged: logged() - before.logged, lines: (await metricLines()) - before.lines };
  process.stdout.write(`${JSON.stringify({ ...figures, ...grown })}\n`);
  const counts = Object.entries(figures.replies);
  const answered = (isMeant: (reply: string) => boolean): number =>
    counts.reduce((sum, [reply, count]) => sum + (isMeant(reply) ? count : 0), 0);
  // An address that has shown too many wrong keys gets a 429, and the limited key may send one in a minute.
  const refused = answered((reply) => reply.startsWith(`${status} `) || reply.startsWith("429 "));
  expect(refused).toBeGreaterThan(LEAST_ANSWERED);
  expect(refused).toBeGreaterThanOrEqual(answered((reply) => !reply.startsWith("no answer")) - 2);
  expect(figures).toMatchObject({ broken: 0, losses: 0 });
  expect(withinBounds(figures), JSON.stringify(figures)).toEqual({ gap: true, memory: true });
  expect(grown.logged).toBeLessThan(MOST_LOGGED);
  expect(grown.lines).toBeLessThan(MOST_LINES);
});
