import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { CalibrationProcess, calibrateMachine } from "./calibrate-machine.js";

/**
 * A process whose layers take 1 ms per row, and twice as long while it waits for a core, as it does for these shares of
 * its orders in turn; it notes what it is asked in the file `asked`.
 */
const timing = (...waits: readonly number[]): string => `import { appendFileSync } from "node:fs";
const asked = new URL("./asked", import.meta.url);
const waits = ${JSON.stringify(waits)};
process.on("message", ({ rows }) => {
  appendFileSync(asked, JSON.stringify(rows) + "\\n");
  const waited = waits.shift() ?? 0;
  const ms = waited > 0 ? 2 : 1;
  process.send({ kind: "measured", waited, stepTimes: rows.map((rows) => ({ rows, layerMs: ms * rows, headMs: 2 * rows })) });
});
process.send({ kind: "loading", bytes: 30, totalBytes: 60 });
process.send({ kind: "loading", bytes: 60, totalBytes: 60 });
process.send({ kind: "loaded", kernels: "avx2" });`;

async function request(source: string) {
  const folder = await temporaryFolder();
  const entry = join(folder, "entry.mjs");
  await writeFile(entry, source);
  const model = { modelPath: "/m.gguf", layers: 2, threads: 1, kvType: "f16", slidingWindow: 0 };
  return { folder, order: { entry, ...model, device: undefined, kernels: undefined, cores: 2 } };
}

const { signal } = new AbortController();

test("all workers are timed at once, then one alone with one row", async () => {
  const { order, folder } = await request(timing());
  const loaded: number[] = [];
  const onLoading = (bytes: number, totalBytes: number) => loaded.push(bytes / totalBytes);
  const { curve, alone, kernels, disturbed } = await calibrateMachine({ ...order, workers: 2, onLoading }, signal);
  expect(loaded).toHaveLength(4);
  expect(loaded.at(-1)).toBe(1);
  expect(disturbed).toBe(0);
  expect(curve.map(({ rows, layerMs, headMs }) => [rows, layerMs, headMs])).toEqual(
    [1, 2, 4, 8, 16, 32].map((rows) => [rows, rows, 2 * rows]),
  );
  expect(alone.map(({ rows }) => rows)).toEqual([1]);
  expect(kernels).toBe("avx2");
  const asked = (await readFile(join(folder, "asked"), "utf8")).trim().split("\n");
  expect(asked).toEqual([...Array(2).fill("[1,2,4,8,16,32]"), "[1]"]);
});

test("a single worker is alone already", async () => {
  const { order } = await request(timing());
  expect((await calibrateMachine({ ...order, workers: 1 }, signal)).alone.map(({ rows }) => rows)).toEqual([1]);
});

test.each([
  ["are repeated once, and the least time counts", [0.5, 0], { layerMs: 1, disturbed: 0, orders: 2 }],
  ["stay disturbed when the second are, too", [0.5, 0.4], { layerMs: 2, disturbed: 0.4, orders: 2 }],
  ["are taken where they disturb little", [0.1], { layerMs: 2, disturbed: 0.1, orders: 1 }],
])("timings that other processes disturb %s", async (_, waits, { layerMs, disturbed, orders }) => {
  const { order, folder } = await request(timing(...waits));
  const measured = await calibrateMachine({ ...order, workers: 1 }, signal);
  expect(measured.curve[0]?.layerMs).toBe(layerMs);
  expect(measured.disturbed).toBeCloseTo(disturbed);
  expect((await readFile(join(folder, "asked"), "utf8")).trim().split("\n")).toHaveLength(orders);
});

test("threads that wait for each other, since they are more than the cores, are no disturbance", async () => {
  const { order } = await request(timing(0.5));
  expect((await calibrateMachine({ ...order, workers: 1, threads: 4 }, signal)).disturbed).toBe(0);
});

test.each([
  [
    "its own error",
    'process.send({ kind: "fatal", code: "OUT_OF_MEMORY", message: "9 GB." }, () => process.exit(1))',
    "OUT_OF_MEMORY",
    /^9 GB\.$/,
  ],
  [
    "an error of another version",
    'process.send({ kind: "fatal", code: "TOO_WARM", message: "Hot." }, () => process.exit(1))',
    "INTERNAL",
    /^Hot\.$/,
  ],
  ["how it ended", "process.exitCode = 3", "INTERNAL", /ended unexpectedly \(exit code 3\)/],
] as const)("a process that can't load is told by %s", async (_, source, code, message) => {
  const { order } = await request(source);
  await expect(CalibrationProcess.start(order, signal)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});
