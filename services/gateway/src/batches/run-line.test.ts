import { RhoneError } from "@rhone/common";
import { describe, expect, it, vi } from "vitest";
import type { Script } from "../testing/fake-cluster.js";
import { type FakeOptions, fakeGateway, hello } from "../testing/fake-gateway.js";
import { testBatch } from "../testing/test-batch.js";
import type { BatchRecord } from "./batch-record.js";
import { runLine } from "./run-line.js";
import { runLines } from "./run-lines.js";

const never = new AbortController().signal;
const batch = testBatch({ id: `batch_${"0".repeat(24)}` });

interface Ran {
  readonly batch?: Partial<BatchRecord>;
  readonly signal?: AbortSignal;
}

function gateway(script?: Script, options: FakeOptions = {}) {
  const fake = fakeGateway(script, "ready", options);
  const run = async (body: Record<string, unknown>, { batch: changes = {}, signal = never }: Ran = {}) => {
    const { result, release } = await runLine({
      uses: fake,
      batch: { ...batch, ...changes },
      number: 3,
      line: { customId: "mine", body },
      signal,
      pauseMs: 1,
    });
    release();
    return result;
  };
  return { ...fake, run };
}

/** Fails with these codes first, then answers. */
function failing(...codes: ConstructorParameters<typeof RhoneError>[0][]): Script {
  return (job) => {
    const code = codes.shift();
    if (code !== undefined) throw new RhoneError(code, "failed");
    return hello(job);
  };
}

describe("a line", () => {
  it.each<[BatchRecord["endpoint"], Record<string, unknown>, object]>([
    ["/v1/completions", { prompt: "a" }, { object: "text_completion" }],
    ["/v1/chat/completions", { messages: [{ role: "user", content: "a" }] }, { object: "chat.completion" }],
    ["/v1/embeddings", { input: "a" }, { object: "list" }],
  ])("of %s is answered as a single request is", async (endpoint, body, answer) => {
    const { run, jobs } = gateway();
    const result = await run(body, { batch: { endpoint, owner: "team" } });
    expect(result).toMatchObject({
      line: 3,
      ok: true,
      entry: {
        id: `batch_req_${"0".repeat(24)}-3`,
        custom_id: "mine",
        response: { status_code: 200, request_id: `req_${"0".repeat(24)}-3`, body: answer },
        error: null,
      },
    });
    expect(jobs[0]).toMatchObject({ lane: "batch", keyId: "team" });
  });

  it("counts what it used, as batches report it", async () => {
    const { run, metrics } = gateway();
    expect((await run({ prompt: "a" })).usage).toEqual({ promptTokens: 2, cachedTokens: 0, completionTokens: 2 });
    const text = await metrics.registry.metrics();
    expect(text).toMatch(/^rhone_completion_tokens_total\{model_name="tiny"\} 2$/m);
    expect(text).not.toMatch(/^rhone_requests_total/m);
  });

  it("may run until a minute after its batch", async () => {
    const { run, jobs } = gateway();
    await run({ prompt: "a" });
    expect(jobs[0]?.deadlineAtMs).toBe(batch.expiresAt * 1000 + 60_000);
  });

  it.each<[string, Record<string, unknown>, number, string]>([
    ["a bad field", { prompt: "a", temperature: 9 }, 400, "invalid_value"],
    ["another model", { prompt: "a", model: "huge" }, 404, "model_not_found"],
    ["a long prompt", { prompt: "a".repeat(80) }, 400, "context_length_exceeded"],
  ])("with %s goes to the error file, and is not tried again", async (_, body, status, code) => {
    const { run, jobs } = gateway();
    const result = await run(body);
    expect(result).toMatchObject({
      ok: false,
      entry: { response: { status_code: status, body: { code } }, error: null },
    });
    expect(result.usage).toEqual({ promptTokens: 0, cachedTokens: 0, completionTokens: 0 });
    expect(jobs).toEqual([]);
  });
});

describe("an outage", () => {
  it("is waited out; each attempt has an id of its own", async () => {
    const { run, jobs } = gateway(failing("WORKER_LOST", "EPOCH_CHANGED"));
    expect(await run({ prompt: "a" })).toMatchObject({ ok: true });
    const id = `cmpl-${"0".repeat(24)}-3`;
    expect(jobs.map(({ requestId }) => requestId)).toEqual([`${id}-0`, `${id}-r1-0`, `${id}-r2-0`]);
  });

  it.each(["QUEUE_FULL", "TEXTS_BUSY", "GRAMMARS_BUSY", "GATEWAY_BUSY", "NO_PIPELINE", "REDIS_UNAVAILABLE"] as const)(
    "may be %s",
    async (code) => {
      const { run, jobs } = gateway(failing(code));
      expect(await run({ prompt: "a" })).toMatchObject({ ok: true });
      expect(jobs).toHaveLength(2);
    },
  );

  it.each(["STAGE_FAILED", "DEADLINE_EXCEEDED", "INTERNAL"] as const)("is not what %s is", async (code) => {
    const { run, jobs } = gateway(failing(code));
    expect(await run({ prompt: "a" })).toMatchObject({ ok: false });
    expect(jobs).toHaveLength(1);
  });

  it("may be answers that leave no room for its own", async () => {
    const { run, answers, metrics } = gateway(hello, { answersBytes: 1024 * 1024 });
    const others = answers.takeNow({ bytes: 1024 * 1024, lane: "interactive", owner: "" });
    const take = vi.spyOn(answers, "take");
    const ran = run({ prompt: ["a", "b", "c"], n: 16, max_tokens: 60, logprobs: 20 });
    await expect.poll(() => take.mock.calls.length).toBe(2);
    others.release();
    expect(await ran).toMatchObject({ ok: true });
    expect((await metrics.answersHeld.get()).values[0]?.value).toBe(0);
  });

  it("ends with the batch", async () => {
    const stop = new AbortController();
    const { run } = gateway(() => {
      stop.abort(new RhoneError("SHUTTING_DOWN", "The gateway is stopping."));
      throw new RhoneError("WORKER_LOST", "gone");
    });
    await expect(run({ prompt: "a" }, { signal: stop.signal })).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  });
});

it("a line of a batch that was stopped does not begin", async () => {
  const { run, jobs } = gateway();
  const signal = AbortSignal.abort(new RhoneError("CANCELLED", "The batch is cancelled."));
  await expect(run({ prompt: "a" }, { signal })).rejects.toMatchObject({ code: "CANCELLED" });
  expect(jobs).toEqual([]);
});

describe("many lines", () => {
  async function* lines(count: number) {
    for (let number = 1; number <= count; number++) yield { number, text: `${number}` };
  }

  it("run so that no more than the limit are in flight, each once, without those that are done", async () => {
    let [running, most] = [0, 0];
    const ran: number[] = [];
    await runLines({
      lines: lines(10),
      done: new Set([2, 5]),
      atOnce: 3,
      stop: new AbortController(),
      run: async ({ number }) => {
        most = Math.max(most, ++running);
        ran.push(number);
        await new Promise(setImmediate);
        running--;
      },
    });
    expect(ran.toSorted((a, b) => a - b)).toEqual([1, 3, 4, 6, 7, 8, 9, 10]);
    expect(most).toBe(3);
  });

  it("stop at the first failure, which is the one that is thrown", async () => {
    const stop = new AbortController();
    const ran: number[] = [];
    const run = async ({ number }: { readonly number: number }) => {
      ran.push(number);
      if (number === 2) throw new Error("disk full");
      await new Promise(setImmediate);
      stop.signal.throwIfAborted();
    };
    await expect(runLines({ lines: lines(100), done: new Set(), atOnce: 2, stop, run })).rejects.toThrow("disk full");
    expect(stop.signal.reason).toMatchObject({ code: "SHUTTING_DOWN" });
    expect(ran.length).toBeLessThan(5);
  });

  it("end quietly when they are stopped", async () => {
    const stop = new AbortController();
    const run = async ({ number }: { readonly number: number }) => {
      if (number === 3) stop.abort(new RhoneError("CANCELLED", "The batch is cancelled."));
      stop.signal.throwIfAborted();
    };
    await expect(runLines({ lines: lines(9), done: new Set(), atOnce: 2, stop, run })).resolves.toBeUndefined();
  });

  it("close their input", async () => {
    let isClosed = false;
    async function* input() {
      try {
        yield* lines(9);
      } finally {
        isClosed = true;
      }
    }
    const stop = new AbortController();
    const run = async () => stop.abort();
    await runLines({ lines: input(), done: new Set(), atOnce: 1, stop, run });
    expect(isClosed).toBe(true);
  });
});
