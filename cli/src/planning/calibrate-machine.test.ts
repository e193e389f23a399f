import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../testing/temporary-folder.js";
import { CalibrationProcess, calibrateMachine } from "./calibrate-machine.js";

/** A process whose layers take 1 ms per row; it notes what it is asked in the file `asked`. */
const TIMES = `import { appendFileSync } from "node:fs";
const asked = new URL("./asked", import.meta.url);
process.on("message", ({ rows }) => {
  appendFileSync(asked, JSON.stringify(rows) + "\\n");
  process.send({ kind: "measured", stepTimes: rows.map((rows) => ({ rows, layerMs: rows, headMs: 2 * rows })) });
});
process.send({ kind: "loaded", kernels: "avx2" });`;

async function request(source: string) {
  const folder = await temporaryFolder();
  const entry = join(folder, "entry.mjs");
  await writeFile(entry, source);
  const model = { modelPath: "/m.gguf", layers: 2, threads: 1, kvType: "f16", slidingWindow: 0 };
  return { folder, order: { entry, ...model, device: undefined, kernels: undefined } };
}

const { signal } = new AbortController();

test("all workers are timed at once, then one alone with one row", async () => {
  const { order, folder } = await request(TIMES);
  const { curve, alone, kernels } = await calibrateMachine(2, order, signal);
  expect(curve.map(({ rows, layerMs, headMs }) => [rows, layerMs, headMs])).toEqual(
    [1, 2, 4, 8, 16, 32].map((rows) => [rows, rows, 2 * rows]),
  );
  expect(alone.map(({ rows }) => rows)).toEqual([1]);
  expect(kernels).toBe("avx2");
  const { readFile } = await import("node:fs/promises");
  const asked = (await readFile(join(folder, "asked"), "utf8")).trim().split("\n");
  expect(asked).toEqual([...Array(2).fill("[1,2,4,8,16,32]"), "[1]"]);
});

test("a single worker is alone already", async () => {
  const { order } = await request(TIMES);
  expect((await calibrateMachine(1, order, signal)).alone.map(({ rows }) => rows)).toEqual([1]);
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
