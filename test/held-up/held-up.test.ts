import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ATTACKS, type AttackFigures, BenchTarget, measureAttack, watchTarget } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { pidsOf } from "../cluster/processes.js";
import { RunningCluster } from "../cluster/start-cluster.js";

/** Longest that another stream may be held up beyond its usual gap, and longest answer of /health, on two cores. */
const MOST_MS = 250;
/** Most that a process may hold more during an attack. */
const MOST_BYTES = 500e6;

type Watcher = Awaited<ReturnType<typeof watchTarget>>;

let cluster: RunningCluster;
let target: BenchTarget;
let watcher: Watcher;
beforeAll(async () => {
  cluster = await RunningCluster.start(["--workers", "2"]);
  const { supervisor = 0 } = pidsOf(cluster);
  const clusterSecret = await readFile(join(cluster.dataDir, "cluster-secret"), "utf8");
  const { signal } = new AbortController();
  target = await BenchTarget.open(cluster.url, { signal, clusterSecret, roots: [supervisor] });
  watcher = await watchTarget(target);
});
afterAll(async () => {
  await watcher?.close();
  target?.close();
  await cluster?.stop();
});

const PACE = { usualMs: 300, patienceMs: 15_000, afterMs: 300 };

/** What another client may see at most. */
const withinBounds = ({ gapMs, usualGapMs, healthMs, memory }: AttackFigures) => ({
  gap: gapMs <= usualGapMs + MOST_MS,
  health: healthMs < MOST_MS,
  memory: memory.every(({ before, most }) => most < before + MOST_BYTES),
});

const quick = ATTACKS.filter(({ isQuick }) => isQuick === true);

// A machine that others use too makes a stream wait now and then: what misses its bound is attacked a second time.
test.each(quick)("$name: $description", { retry: 1, timeout: 60_000 }, async (attack) => {
  const figures = await measureAttack({ target, watcher }, attack, PACE);
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  expect(figures).toMatchObject({ broken: 0, losses: 0 });
  expect(withinBounds(figures), JSON.stringify(figures)).toEqual({ gap: true, health: true, memory: true });
});
