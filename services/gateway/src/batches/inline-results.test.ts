import { expect, it, onTestFinished } from "vitest";
import { FileQuota } from "../files/file-quota.js";
import { FileStore } from "../files/file-store.js";
import { mostInATurn } from "../testing/most-in-a-turn.js";
import { testBatch } from "../testing/test-batch.js";
import { STORAGES } from "../testing/test-storages.js";
import { toMistralJob } from "./batch-views.js";
import { inlineResults } from "./inline-results.js";
import { keepRequests } from "./own-batches.js";

const [{ open }] = STORAGES;

/** A completed job whose output file has a line for each of `bodies`, null: no output file; and how to write it. */
async function jobWith(bodies: readonly Record<string, unknown>[] | null) {
  const storage = await open();
  onTestFinished(() => storage.close());
  const files = new FileStore(storage);
  const quota = new FileQuota(files, { files: 10, bytes: 100_000_000 });
  const lines = bodies?.map((body, i) => ({ custom_id: `${i}`, body }));
  const outputFileId = lines === undefined ? null : await keepRequests({ files, quota }, lines, "team");
  const job = toMistralJob(testBatch({ status: "completed", outputFileId }), null);
  const write = async (mostBytes: number) => {
    const pieces: Buffer[] = [];
    for await (const piece of await inlineResults(files, job, mostBytes)) pieces.push(piece);
    return { pieces, text: Buffer.concat(pieces).toString() };
  };
  return { job, lines, write };
}

it.each<[string, readonly Record<string, unknown>[] | null]>([
  ["no output file", null],
  ["one line", [{ a: "é\n,]" }]],
  ["many lines", Array.from({ length: 3000 }, (_, i) => ({ text: "x".repeat(i % 200) }))],
])("a job with %s has its lines as outputs", async (_, bodies) => {
  const { job, lines = [], write } = await jobWith(bodies);
  expect(JSON.parse((await write(1e7)).text)).toEqual({ ...job, outputs: lines });
});

it("is never whole in memory", async () => {
  const { write } = await jobWith(Array.from({ length: 200 }, () => ({ text: "x".repeat(10_000) })));
  const { pieces, text } = await write(1e7);
  expect(text.length).toBeGreaterThan(2e6);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(2 ** 18);
});

it("has turns for all readers together, whose pieces may all be there at once", async () => {
  const pieces = Array.from({ length: 10 }, () => Buffer.from("{}\n"));
  async function* read() {
    yield* pieces;
  }
  const files = { get: async () => ({ bytes: 30 }), read: async () => read() } as unknown as FileStore;
  const job = toMistralJob(testBatch({ status: "completed", outputFileId: "file-1" }), null);
  const most = await mostInATurn(async (work) => {
    const readAll = async () => {
      for await (const _ of await inlineResults(files, job, 1e7)) work();
    };
    await Promise.all(Array.from({ length: 100 }, readAll));
  });
  // Each has a piece of its own before and after the file's pieces.
  expect(most).toBeLessThan(150);
});

it("refuses results that are longer than an answer", async () => {
  const { write } = await jobWith([{}, {}]);
  await expect(write(10)).rejects.toMatchObject({ code: "INVALID_REQUEST", param: "inline" });
});
