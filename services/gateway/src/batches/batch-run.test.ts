import { once } from "node:events";
import { text as textOf } from "node:stream/consumers";
import { RhoneError } from "@rhone/common";
import { describe, expect, onTestFinished, test } from "vitest";
import { fakeGateway, hello, type Script } from "../testing/fake-gateway.js";
import { testBatch } from "../testing/test-batch.js";
import { STORAGES } from "../testing/test-storages.js";
import type { BatchRecord } from "./batch-record.js";
import { BatchRun, type BatchUse } from "./batch-run.js";

const never = new AbortController().signal;

describe.each(STORAGES)("$place", ({ open }) => {
  async function gateway(script?: Script) {
    const storage = await open();
    const fake = fakeGateway(script, "ready", { storage });
    onTestFinished(() => fake.app.close());
    return { ...fake, uses: fake as BatchUse, storage };
  }

  /** Lines "l0", "l1", …: each asks for a completion, those of `bad` with a temperature that no request may have. */
  async function newBatchOf(uses: BatchUse, count: number, options: Partial<BatchRecord> & { bad?: number[] } = {}) {
    const { bad = [], ...changes } = options;
    const unfinished = await uses.files.create();
    for (let index = 0; index < count; index++) {
      const body = { prompt: `p${index}`, temperature: bad.includes(index) ? 9 : 0 };
      const line = { custom_id: `l${index}`, method: "POST", url: "/v1/completions", body };
      await unfinished.write(Buffer.from(`${JSON.stringify(line)}\n`));
    }
    const about = { filename: "in.jsonl", purpose: "batch", kind: "request", createdAt: 0, expiresAt: null } as const;
    const { id } = await uses.files.commit(unfinished, about);
    const batch = testBatch({ inputFileIds: [id], ...changes });
    await uses.batches.create(batch);
    return batch;
  }

  async function run(uses: BatchUse, id: string, handover: AbortSignal = never): Promise<BatchRecord> {
    const batch = await uses.batches.get(id);
    const input = { mostLines: 100, mostBytes: 100_000 };
    await new BatchRun({ uses, batch, handover, linesInFlight: 3, input, tickMs: 1, pauseMs: 1 }).run();
    return uses.batches.get(id);
  }

  interface Entry {
    readonly custom_id: string;
    readonly response: { readonly status_code: number; readonly body: Record<string, unknown> } | null;
    readonly error: { readonly code: string } | null;
  }

  async function entries(uses: BatchUse, id: string | null): Promise<Entry[]> {
    if (id === null) return [];
    const lines = (await textOf(await uses.files.read(id))).trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as Entry);
  }

  const idsOf = (found: readonly Entry[]) => found.map(({ custom_id }) => custom_id).sort();
  const customIds = (count: number) => Array.from({ length: count }, (_, index) => `l${index}`).sort();

  test("answers go to the output file, refusals to the error file, each line once", async () => {
    const { uses, jobs } = await gateway();
    const { id } = await newBatchOf(uses, 10, { bad: [2, 7] });
    const batch = await run(uses, id);
    expect(batch).toMatchObject({
      status: "completed",
      counts: { total: 10, completed: 8, failed: 2 },
      usage: { completionTokens: 16 },
    });
    const output = await entries(uses, batch.outputFileId);
    const errors = await entries(uses, batch.errorFileId);
    expect(idsOf([...output, ...errors])).toEqual(customIds(10));
    expect(idsOf(errors)).toEqual(["l2", "l7"]);
    expect(errors[0]?.response).toMatchObject({ status_code: 400, body: { error: { param: "temperature" } } });
    expect(output[0]?.response).toMatchObject({ status_code: 200, body: { object: "text_completion" } });
    expect(jobs.every(({ lane }) => lane === "batch")).toBe(true);
    expect(await uses.batches.openIds()).toEqual([]);
  });

  test("a file with a bad line fails before anything runs", async () => {
    const { uses, jobs } = await gateway();
    const { id } = await newBatchOf(uses, 3, { endpoint: "/v1/chat/completions" });
    const batch = await run(uses, id);
    expect(batch).toMatchObject({ status: "failed", outputFileId: null });
    expect(batch.problems.map(({ code, line }) => [code, line])).toEqual(
      [1, 2, 3].map((line) => ["invalid_url", line]),
    );
    expect(jobs).toEqual([]);
  });

  test.each([
    ["blank lines", "\n".repeat(201), 1, "too_many_lines"],
    ["a file named often", `${" ".repeat(1000)}\n`, 101, "input_too_large"],
  ])("%s beyond the bound fail the batch unread", async (_, content, times, code) => {
    const { uses, storage } = await gateway();
    const unfinished = await uses.files.create();
    await unfinished.write(Buffer.from(content));
    const about = { filename: "in.jsonl", purpose: "batch", kind: "request", createdAt: 0, expiresAt: null } as const;
    const { id: fileId } = await uses.files.commit(unfinished, about);
    const batch = testBatch({ inputFileIds: Array(times).fill(fileId) });
    await uses.batches.create(batch);
    storage.read = () => expect.fail("the file was read");
    expect((await run(uses, batch.id)).problems).toMatchObject([{ code, line: null }]);
  });

  test("a file that is gone fails the batch", async () => {
    const { uses } = await gateway();
    const { id, inputFileIds } = await newBatchOf(uses, 3);
    await uses.files.delete(inputFileIds[0] ?? "");
    expect(await run(uses, id)).toMatchObject({ status: "failed", problems: [{ code: "file_not_found" }] });
  });

  test("lines wait while the cluster is away", async () => {
    let outages = 5;
    const { uses, jobs } = await gateway((job) => {
      if (outages-- > 0) throw new RhoneError("NO_PIPELINE", "The model is not ready.");
      return hello(job);
    });
    const { id } = await newBatchOf(uses, 4);
    expect(await run(uses, id)).toMatchObject({ status: "completed", counts: { completed: 4, failed: 0 } });
    // A generation that failed is never asked for under the same id again.
    expect(new Set(jobs.map(({ requestId }) => requestId)).size).toBe(9);
  });

  test("the next owner of a batch runs the lines without a result, and no line twice", async () => {
    const first = new AbortController();
    let answered = 0;
    const { uses, jobs, storage } = await gateway((job) => {
      if (++answered === 5) first.abort(new RhoneError("SHUTTING_DOWN", "The gateway is stopping."));
      return hello(job);
    });
    const { id } = await newBatchOf(uses, 12);
    await expect(run(uses, id, first.signal)).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
    expect(await uses.batches.get(id)).toMatchObject({ status: "in_progress" });
    const cut = await storage.openLog(`batches/${id}/results-0`);
    await cut.append('{"line":12,"ok":true,"usa');
    await cut.close();
    const batch = await run(uses, id);
    expect(batch).toMatchObject({ status: "completed", counts: { total: 12, completed: 12, failed: 0 } });
    expect(idsOf(await entries(uses, batch.outputFileId))).toEqual(customIds(12));
    expect(jobs.length).toBeLessThan(12 + 4);
  });

  test("a line with two results of two owners counts once", async () => {
    const { uses } = await gateway();
    const { id } = await newBatchOf(uses, 1, { status: "in_progress", counts: { total: 1, completed: 0, failed: 0 } });
    const usage = { promptTokens: 1, cachedTokens: 0, completionTokens: 1 };
    for (const owner of ["first", "second"]) {
      const log = await uses.batches.newResults(id);
      await log.append({ line: 1, ok: true, usage, entry: { custom_id: "l0", owner } });
      await log.close();
    }
    const batch = await run(uses, id);
    expect(await entries(uses, batch.outputFileId)).toEqual([{ custom_id: "l0", owner: expect.any(String) }]);
    expect(batch).toMatchObject({ counts: { completed: 1 }, usage: { completionTokens: 1 } });
  });

  test("a crash while the files are written leads to the same files", async () => {
    const { uses } = await gateway();
    const { id } = await newBatchOf(uses, 5);
    const done = await run(uses, id);
    const results = await entries(uses, done.outputFileId);
    const log = await uses.batches.newResults(id);
    for (const [index, entry] of results.entries()) {
      await log.append({ line: index + 1, ok: true, usage: done.usage, entry });
    }
    await log.close();
    await uses.batches.save({ ...done, status: "finalizing" });
    const again = await run(uses, id);
    expect(again.outputFileId).toBe(done.outputFileId);
    expect(await entries(uses, again.outputFileId)).toEqual(results);
  });

  /** Answers lines until `stopAfter` of them are, then `stop` is called and no more are answered. */
  async function stallingGateway(stopAfter: number, stop: () => unknown) {
    let answered = 0;
    const fake = await gateway(hello);
    const uses: BatchUse = {
      ...fake.uses,
      client: {
        follow: (...args) => fake.uses.client.follow(...args),
        cancel: (job) => fake.uses.client.cancel(job),
        logLength: (job) => fake.uses.client.logLength(job),
        hasEnded: (job) => fake.uses.client.hasEnded(job),
        stateOf: (jobs) => fake.uses.client.stateOf(jobs),
        async *generate(job, signal) {
          if (answered++ < stopAfter) {
            yield* fake.uses.client.generate(job, signal);
            return;
          }
          await stop();
          if (!signal.aborted) await once(signal, "abort");
          signal.throwIfAborted();
        },
      },
    };
    return uses;
  }

  test("a cancelled batch keeps its results; the other lines say why they have none", async () => {
    let id = "";
    const uses = await stallingGateway(4, () => uses.batches.requestCancel(id));
    ({ id } = await newBatchOf(uses, 10));
    const batch = await run(uses, id);
    expect(batch).toMatchObject({ status: "cancelled", counts: { total: 10, completed: 4, failed: 6 } });
    const output = await entries(uses, batch.outputFileId);
    const errors = await entries(uses, batch.errorFileId);
    expect(idsOf([...output, ...errors])).toEqual(customIds(10));
    expect(new Set(errors.map(({ error }) => error?.code))).toEqual(new Set(["batch_cancelled"]));
  });

  test("a batch whose window has ended delivers what it has", async () => {
    const { uses, jobs } = await gateway();
    const { id } = await newBatchOf(uses, 3, { expiresAt: 1 });
    const batch = await run(uses, id);
    expect(batch).toMatchObject({ status: "expired", outputFileId: null, counts: { completed: 0, failed: 3 } });
    const errors = await entries(uses, batch.errorFileId);
    expect(errors.map(({ response, error }) => [response, error?.code])).toEqual(
      Array(3).fill([null, "batch_expired"]),
    );
    expect(jobs).toEqual([]);
  });
});
