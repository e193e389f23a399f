import type { ClusterStatus, WorkerStatus } from "@rhone/common";
import { expect, test } from "vitest";
import { styleFor } from "../terminal/style.js";
import { clusterStatus, workerStatus } from "../testing/sample-status.js";
import { formatStatus } from "./format-status.js";

const plain = styleFor({}, undefined);

const worker = (name: string, layers: WorkerStatus["layers"]) =>
  workerStatus(name, layers, { busy: 0.5, operations: "127.0.0.1:7002", loadedBytes: 1e6, totalBytes: 1e6 });

const SAMPLE = clusterStatus([worker("b", [16, 32]), worker("c", null), worker("a", [0, 16])]);
const STATUS: ClusterStatus = {
  ...SAMPLE,
  updatedAtMs: 62_000,
  model: { ...SAMPLE.model, name: "breeze", slidingWindow: 64, nLayers: 32, parameters: 6_300_000 },
  sequences: { running: 2, waiting: 1, limit: 64 },
  tokens: { ...SAMPLE.tokens, prompt: 10, generated: 200 },
};

test("a cluster as a page, its workers in the order of their layers", () => {
  const before = {
    ...STATUS,
    updatedAtMs: 60_000,
    tokens: { prompt: 10, cached: 0, generated: 150, drafted: 0, accepted: 0 },
  };
  expect(formatStatus(STATUS, before, styleFor({}, undefined))).toBe(`breeze  ready
model      6.3 M parameters, 32 layers, context 4096, sliding window 64
pages      90 of 100 free, 5 cached, 32 positions each, f16
sequences  2 running, 1 waiting, limit 64
invariant  yes
tokens     10 prompt (0.0/s), 200 generated (25.0/s)
epoch      1, up 1m 2s

WORKER  LAYERS  DEVICE  THREADS  MEMORY   LIMIT  BUSY  ADDRESS         PID
a       0-15    CPU           1  150 MB  8.0 GB  50 %  127.0.0.1:7001   42
b       16-31   CPU           1  150 MB  8.0 GB  50 %  127.0.0.1:7001   42
c       spare   CPU           1  150 MB  8.0 GB  50 %  127.0.0.1:7001   42`);
});

test("where its workers' memory comes from, once where it is the same", () => {
  const from = "30 % of 26.7 GB free";
  const workers = ["a", "b"].map((name) => workerStatus(name, [0, 16], { memoryFrom: from }));
  expect(formatStatus({ ...STATUS, workers }, STATUS, plain)).toContain(
    `\nmemory     8.0 GB per worker: ${from}\npages `,
  );
});

test("what a worker holds beyond its own layers", () => {
  const spare = { layers: [[16, 32]], bytes: 1e6, needed: null } as const;
  const lacking = { layers: [], bytes: 0, needed: 9.1e9 };
  const workers = [
    { ...worker("a", [0, 16]), spare },
    { ...worker("b", [16, 32]), spare: lacking },
  ];
  const page = formatStatus({ ...STATUS, workers } as ClusterStatus, STATUS, plain);
  expect(page).toContain("\na       0-15 (spare 16-31) ");
  expect(page).toContain("\nb       16-31 (a spare shard needs 9.1 GB) ");
});

test.each([
  ["yes", { activationType: "f32" }, ""],
  ["yes, while the layers are cut as they are: activations are f16 between workers", { activationType: "f16" }, ""],
  ["yes, while the layers are cut as they are: activations are q8_0 between workers", { activationType: "q8_0" }, ""],
  ["no, b: ggml computes everything on CPU", { activationType: "f32" }, "ggml computes everything on CPU"],
  ["known once the pipeline is ready", { state: "loading" }, ""],
] as const)("answers are invariant: %s", (expected, changes, varies) => {
  const workers = [worker("a", [0, 16]), workerStatus("b", [16, 32], { varies }), worker("spare", null)];
  const page = formatStatus({ ...STATUS, ...changes, workers }, STATUS, styleFor({}, undefined));
  expect(page).toContain(`\ninvariant  ${expected}\n`);
});

test("a simulated cluster says so", () => {
  const [title] = formatStatus({ ...STATUS, simulated: true }, STATUS, styleFor({}, undefined)).split("\n");
  expect(title).toBe("breeze  ready  simulated: its tokens are meaningless");
});

test("a reason follows the state, and a worker that loads shows how far it is", () => {
  const loading = { ...STATUS, state: "failed", reason: "OUT_OF_MEMORY: 9 GB" } as const;
  const workers = [workerStatus("a", [0, 32], { loadedBytes: 250e6 })];
  const page = formatStatus({ ...loading, workers }, STATUS, styleFor({}, undefined));
  expect(page).toMatch(/^breeze {2}failed: OUT_OF_MEMORY: 9 GB\n/);
  expect(page).toContain("0-31 (250 MB of 600 MB)");
});

test.each([
  ["fetch", "fetching"],
  ["check", "checking"],
] as const)("a worker that has to %s its weights first says so", (phase, verb) => {
  const preparing = { phase, bytes: 1e8, totalBytes: 5e8 };
  const workers = [workerStatus("a", [0, 32], { loadedBytes: 0, totalBytes: 0, preparing })];
  const page = formatStatus({ ...STATUS, workers }, STATUS, styleFor({}, undefined));
  expect(page).toContain(`0-31 (${verb} 100 MB of 500 MB)`);
});

test.each([
  [[0, 32], "draining", "0-31 (draining)"],
  [[0, 32], "leaving", "0-31 (leaving)"],
  [null, "drained", "drained"],
] as const)("a worker with layers %j that is %s is shown as %s", (layers, going, shown) => {
  const page = formatStatus({ ...STATUS, workers: [workerStatus("a", layers, { going })] }, STATUS, plain);
  expect(page.split("\n").at(-1)).toContain(`a       ${shown} `);
});

test("a status that is as old as the one before has no rates", () => {
  expect(formatStatus(STATUS, STATUS, styleFor({}, undefined))).toContain("200 generated (0.0/s)");
});

test("memory is unknown until a worker's first heartbeat", () => {
  const status = { ...STATUS, workers: [workerStatus("w", [0, 8], { resident: 0 })] };
  expect(formatStatus(status, status, plain)).toMatch(/^w .* unknown +8/m);
});
