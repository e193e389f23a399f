import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BaselineProcess } from "./baseline-process.js";

const REQUEST = { sequences: 2, promptTokens: 5, maxTokens: 4, threads: 2, seed: 7 };

/** A child process whose `onMessage` is the body of a function of `request` and `answer`. */
async function childThat(onMessage: string): Promise<BaselineProcess> {
  const folder = await mkdtemp(join(tmpdir(), "rhone-baseline-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const entry = join(folder, "child.mjs");
  await writeFile(
    entry,
    `const answer = (message) => process.send(message);
     process.on("message", (request) => { ${onMessage} });`,
  );
  const child = BaselineProcess.start({ modelPath: "m", ggmlDir: undefined }, new AbortController().signal, entry);
  onTestFinished(() => child.close());
  return child;
}

const MEASURES = `answer({ kind: "measured", figures: {
  kvUnified: request.kvUnified, decodeTokensPerSecond: request.kvUnified ? 10 : 12, prefillTokensPerSecond: 1 } });`;

test.each([
  ["faster", false],
  ["unified", true],
  ["split", false],
] as const)("K/V layout %s", async (layout, kvUnified) => {
  const child = await childThat(MEASURES);
  expect(await child.measure(REQUEST, layout)).toMatchObject({ kvUnified });
});

test("one sequence has one buffer in either layout: it is measured once", async () => {
  const child = await childThat(MEASURES);
  expect(await child.measure({ ...REQUEST, sequences: 1 }, "faster")).toMatchObject({ kvUnified: true });
});

test("llama.cpp's own error", async () => {
  const child = await childThat('answer({ kind: "failed", code: "OUT_OF_MEMORY", message: "9 GB." })');
  const failed = child.measure(REQUEST, "unified");
  await expect(failed).rejects.toMatchObject({ code: "OUT_OF_MEMORY", message: "llama.cpp: 9 GB." });
});

test("a process that ends instead of answering", async () => {
  const child = await childThat("process.exit(134)");
  const failed = child.measure(REQUEST, "unified");
  await expect(failed).rejects.toMatchObject({ code: "INTERNAL", message: expect.stringContaining("exit code 134") });
});
