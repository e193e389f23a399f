import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type AttackFigures, BenchTarget, measureAttack, watchTarget } from "@rhone/bench";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pidsOf } from "../cluster/processes.js";
import { RunningCluster } from "../cluster/start-cluster.js";
import { grpcAttacks } from "./grpc-attacks.js";
import type { RawTarget } from "./raw-http2.js";

/** Longest that a stream may be held up beyond its usual gap, on two cores of which the attacker has one. */
const MOST_MS = 1000;
/** Most that a process may hold more during an attack. */
const MOST_BYTES = 300e6;
/** Most files and sockets that a process may have more afterwards. */
const MOST_FILES = 20;
const PACE = { usualMs: 300, patienceMs: 15_000, afterMs: 500 };

const CLUSTERS = [
  { name: "a coordinator that knows its callers by a secret", flags: ["--workers", "2"], isSecure: false },
  {
    name: "a worker that knows them by certificates",
    flags: ["--workers", "2", "--listen", "127.0.0.1"],
    isSecure: true,
  },
] as const;

describe.each(CLUSTERS)("strangers at $name", ({ flags, isSecure }) => {
  let cluster: RunningCluster;
  let target: BenchTarget;
  let watcher: Awaited<ReturnType<typeof watchTarget>>;
  let attacked: RawTarget;
  beforeAll(async () => {
    cluster = await RunningCluster.start([...flags, "--auth", "off", "--listen-port", "0"]);
    const { supervisor = 0 } = pidsOf(cluster);
    const clusterSecret = await readFile(join(cluster.dataDir, "cluster-secret"), "utf8");
    const { signal } = new AbortController();
    target = await BenchTarget.open(cluster.url, { signal, clusterSecret, roots: [supervisor] });
    watcher = await watchTarget(target);
    const { address: coordinator = "", workers } = await cluster.status();
    const { hostname: host, port } = new URL(`http://${isSecure ? workers[0]?.address : coordinator}`);
    attacked = { host, port: Number(port), isSecure };
  });
  afterAll(async () => {
    await watcher?.close();
    target?.close();
    await cluster?.stop();
  });

  /** Of each process. */
  const openFiles = (): readonly number[] => target.processes().map(({ pid }) => readdirSync(`/proc/${pid}/fd`).length);

  const withinBounds = ({ gapMs, usualGapMs, memory }: AttackFigures, before: readonly number[]) => ({
    gap: gapMs <= usualGapMs + MOST_MS,
    memory: memory.every(({ before, most }) => most < before + MOST_BYTES),
    files: openFiles().every((files, index) => files <= (before[index] ?? 0) + MOST_FILES),
  });

  const attacks = grpcAttacks(isSecure ? "worker" : "coordinator", () => attacked);
  test.each(attacks)("$name: $description", { retry: 1, timeout: 60_000 }, async (attack) => {
    const files = openFiles();
    const figures = await measureAttack({ target, watcher }, attack, PACE);
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    expect(figures).toMatchObject({ broken: 0 });
    expect(withinBounds(figures, files), JSON.stringify(figures)).toEqual({ gap: true, memory: true, files: true });
  });
});
