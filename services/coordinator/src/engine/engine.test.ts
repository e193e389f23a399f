import { type GenerationJob, RhoneError } from "@rhone/common";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CONSTRAINT, CONTEXT, EngineBench, MAX_ROWS, prompt, sum, turn } from "../testing/engine-bench.js";
import { fakeJob } from "../testing/fake-job.js";
import { type NextToken, nextToken, repetitiveToken, runAlone } from "../testing/next-token.js";
import { NOTHING_RECORDED } from "../token-log/recorded.js";

const base64 = ({ buffer }: Float32Array): string => Buffer.from(buffer).toString("base64");

interface Plan {
  readonly job: GenerationJob;
  readonly at: number;
  readonly cancelAt: number | null;
}

const plans = fc.array(
  fc.record({
    at: fc.oneof(fc.nat(4), fc.nat(60)),
    length: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: CONTEXT - 1 })),
    maxTokens: fc.oneof(fc.nat(8), fc.integer({ min: 24, max: CONTEXT })),
    batch: fc.boolean(),
    reads: fc.constantFrom("score", "embed", ...Array<null>(4).fill(null)),
    /** Prompts of a family begin alike. */
    family: fc.nat(3),
    cachePrompt: fc.constantFrom(true, true, true, false),
    salt: fc.constantFrom("", "", "", "other"),
    key: fc.constantFrom("a", "b"),
    constrained: fc.constantFrom(true, false, false),
    cancelAt: fc.option(fc.nat(200), { freq: 3 }),
  }),
  { minLength: 1, maxLength: 24, size: "max" },
);

const setups = fc.record({
  plans,
  stages: fc.integer({ min: 1, max: 5 }),
  slidingWindow: fc.constantFrom(0, 0, 1, 5, 16),
  extraPages: fc.nat(5),
  maxDrafts: fc.constantFrom(0, 0, 1, 5),
  repetitive: fc.boolean(),
  stepMs: fc.constantFrom(
    undefined,
    (rows: number) => 1 + rows,
    (rows: number) => [3, 9, 4, 12][rows % 4] ?? 1,
  ),
  lossAt: fc.option(fc.nat(200)),
  choices: fc.infiniteStream(fc.nat(1000)),
});

describe("Engine", () => {
  it("gives every sequence what it gets alone, ends each once, and loses no page", async () => {
    const seen = { evicted: 0, cached: 0, accepted: 0 }; // setups
    await fc.assert(
      fc.asyncProperty(setups, async ({ plans: raw, stages, lossAt, choices, ...setup }) => {
        const { slidingWindow, extraPages, maxDrafts, stepMs } = setup;
        const next = setup.repetitive ? repetitiveToken : nextToken;
        const all = raw.map((plan, index): Plan => {
          const { length, maxTokens, batch, reads, at, cancelAt, family, cachePrompt, salt, key, constrained } = plan;
          const job = fakeJob({
            requestId: `r${index}`,
            promptIds: prompt(length, family),
            maxTokens: reads === "embed" ? 0 : maxTokens,
            cachePrompt,
            cacheSalt: salt,
            keyId: key,
            lane: batch ? "batch" : "interactive",
            promptLogprobs: reads === "score" ? 0 : null,
            pooling: reads === "embed" ? "mean" : null,
            constraint: constrained ? CONSTRAINT : null,
          });
          return { job, at, cancelAt };
        });
        const bench = new EngineBench({ slidingWindow, extraPages, maxSequences: 8, maxDrafts, next, stepMs });
        bench.connect(stages);
        const pending: Promise<void>[] = [];
        for (let tick = 0; tick < 260; tick++) {
          for (const { job, at, cancelAt } of all) {
            if (at === tick) pending.push(bench.engine.run(job));
            if (cancelAt === tick) bench.engine.cancel(job.requestId);
          }
          if (lossAt === tick) {
            bench.lose();
            bench.connect(1 + ((stages + 1) % 4));
          }
          const { busy } = bench.pipe;
          const stage = busy[(choices.next().value ?? 0) % Math.max(1, busy.length)];
          if (stage !== undefined) bench.pipe.advance(stage);
          const { preparing } = bench.pipe;
          const ready = preparing[(choices.next().value ?? 0) % (preparing.length * 4)];
          if (ready !== undefined) bench.prepare(ready);
          if (tick % 3 === 0) await turn();
        }
        await bench.drain();
        await Promise.all(pending);
        for (const { job, cancelAt } of all) checkRequest(bench, job, { cancelAt, slidingWindow, next });
        const { pages, running, waiting } = bench.engine.counts;
        expect({ left: pages.free + pages.cached, running, waiting }).toEqual({
          left: pages.total,
          running: 0,
          waiting: 0,
        });
        expect(bench.pipe.openSequences).toBe(0);
        if (bench.engine.counts.evictions > 0) seen.evicted++;
        if (all.some(({ job }) => (bench.log.of(job.requestId).at(-1)?.usage?.cachedTokens ?? 0) > 0)) seen.cached++;
        if (bench.accepted > 0) seen.accepted++;
      }),
      { numRuns: 100, timeout: 5000 },
    );
    // Or the pools were too large to try anything. Of 12,000 setups 64 % evicted, 39 % found cached tokens and 18 %
    // accepted drafts, so that 100 of them fail here by chance once in 200 million runs.
    expect(seen.evicted).toBeGreaterThan(10);
    expect(seen.cached).toBeGreaterThan(5);
    expect(seen.accepted).toBeGreaterThan(0);
  }, 60_000);
});

function checkRequest(
  bench: EngineBench,
  job: GenerationJob,
  {
    cancelAt,
    slidingWindow,
    next,
  }: { readonly cancelAt: number | null; readonly slidingWindow: number; readonly next: NextToken },
): void {
  const events = bench.log.of(job.requestId);
  const room = Math.min(job.maxTokens, CONTEXT - job.promptIds.length);
  const alone = runAlone(job.promptIds, room, slidingWindow, next);
  expect(events.map((event) => event.ordinal)).toEqual(events.map((_, index) => index));
  expect(events.filter((event) => event.finish !== undefined)).toEqual([events.at(-1)]);
  const reason = events.at(-1)?.finish?.reason;
  const tokens = bench.tokens(job.requestId);
  if (reason === "cancelled") {
    expect(cancelAt).not.toBeNull();
    expect(tokens).toEqual(alone.tokens.slice(0, tokens.length));
    return;
  }
  expect(reason).toBe("length");
  expect(tokens).toEqual(alone.tokens);
  expect(events.at(-1)?.embedding).toBe(job.pooling === null ? undefined : base64(alone.embedding));
  if (job.promptLogprobs === null) return;
  // No event has more scores than a step.
  for (const { promptLogprobs = [] } of events) expect(promptLogprobs.length).toBeLessThanOrEqual(MAX_ROWS);
  const scores = events.flatMap(({ promptLogprobs = [] }) => promptLogprobs);
  expect(scores.map((score) => score.logprob)).toEqual(alone.scores);
}

describe("Engine, case by case", () => {
  it("stops at an end token, whose text is not shown", async () => {
    const ids = prompt(5);
    const alone = runAlone(ids, 4, 0).tokens;
    const bench = new EngineBench({ endTokens: [alone[2] ?? 0] });
    bench.connect(2);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: ids, ignoreEos: false }));
    await bench.drain();
    await done;
    expect(bench.tokens("a")).toEqual(alone.slice(0, 3));
    expect(bench.text("a")).toBe(`<${alone[0]}><${alone[1]}>`);
    const last = bench.log.of("a").at(-1);
    expect(last?.finish).toEqual({ reason: "stop", matched: alone[2] });
    expect(last?.usage).toEqual({ promptTokens: 5, completionTokens: 3, cachedTokens: 0 });
  });

  it("stops at a stop string that spans tokens, and shows the text before it", async () => {
    const ids = prompt(5);
    const alone = runAlone(ids, 4, 0).tokens;
    const stop = `${String(alone[1])}><${String(alone[2])[0]}`;
    const bench = new EngineBench({});
    bench.connect(1);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: ids, stop: [stop] }));
    await bench.drain();
    await done;
    expect(bench.text("a")).toBe(`<${alone[0]}><`);
    expect(bench.log.of("a").at(-1)?.finish).toEqual({ reason: "stop", matched: stop });
  });

  it("lets neither end tokens nor stop strings end a text before minTokens", async () => {
    const ids = prompt(5);
    const alone = runAlone(ids, 8, 0).tokens;
    const bench = new EngineBench({ endTokens: [alone[1] ?? 0] });
    bench.connect(1);
    const stop = [`<${alone[2]}>`];
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: ids, ignoreEos: false, minTokens: 3, stop }));
    await bench.drain();
    await done;
    expect(bench.tokens("a")).toEqual(alone);
    expect(bench.log.of("a").at(-1)?.finish).toEqual({ reason: "length" });
  });

  it("continues from a token log", async () => {
    const ids = prompt(7);
    const alone = runAlone(ids, 8, 0).tokens;
    const bench = new EngineBench({});
    bench.connect(2);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: ids }), {
      ...NOTHING_RECORDED,
      tokens: alone.slice(0, 3),
      ordinal: 3,
    });
    await bench.drain();
    await done;
    expect(bench.tokens("a")).toEqual(alone.slice(3));
    expect(bench.log.of("a")[0]?.ordinal).toBe(3);
    expect(bench.log.of("a").at(-1)?.usage?.completionTokens).toBe(8);
  });

  it("embeds a prompt that fills the context, and leaves its pages to others", async () => {
    const bench = new EngineBench({});
    bench.connect(3);
    const ids = prompt(CONTEXT);
    const embed = (requestId: string): Promise<void> =>
      bench.engine.run(fakeJob({ requestId, promptIds: ids, maxTokens: 0, pooling: "mean" }));
    const done = [embed("a"), bench.engine.run(fakeJob({ requestId: "b", promptIds: prompt(5), maxTokens: 20 }))];
    await bench.drain();
    done.push(bench.engine.run(fakeJob({ requestId: "d", promptIds: ids.slice(0, 40), maxTokens: 1 })));
    await bench.drain();
    done.push(embed("c"));
    await bench.drain();
    await Promise.all(done);
    for (const id of ["a", "c"]) {
      const [event, ...others] = bench.log.of(id);
      expect(others).toEqual([]);
      expect(event).toMatchObject({ tokens: [], text: "", finish: { reason: "length" } });
      expect(event?.usage).toEqual({ promptTokens: CONTEXT, completionTokens: 0, cachedTokens: 0 });
      expect(event?.embedding).toBe(base64(runAlone(ids, 0, 0).embedding));
    }
    expect(bench.log.of("d").at(-1)?.usage?.cachedTokens).toBe(39);
  });

  it("refuses a prompt that fills the context", async () => {
    const bench = new EngineBench({});
    await bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(CONTEXT) }));
    expect(bench.log.of("a").at(-1)?.finish).toMatchObject({ reason: "error", code: "CONTEXT_LENGTH_EXCEEDED" });
  });

  it("ends a sequence whose deadline passes while there is no pipeline", async () => {
    const bench = new EngineBench({});
    await bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3), deadlineAtMs: Date.now() + 20 }));
    expect(bench.log.of("a").at(-1)?.finish).toMatchObject({ reason: "error", code: "DEADLINE_EXCEEDED" });
  });

  it("frees the pages of a cancelled sequence at once", async () => {
    const bench = new EngineBench({});
    bench.connect(3);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(30) }));
    await turn();
    expect(bench.engine.counts.pages.free).toBeLessThan(bench.engine.counts.pages.total);
    bench.engine.cancel("a");
    const { total, free, cached } = bench.engine.counts.pages;
    expect(free + cached).toBe(total);
    await bench.drain();
    await done;
    expect(bench.pipe.openSequences).toBe(0);
  });

  it("hands back a request that has not begun, and runs it again; one that has begun stays", async () => {
    const bench = new EngineBench({ maxSequences: 1 });
    bench.connect(2);
    const waiting = fakeJob({ requestId: "b", promptIds: prompt(4), maxTokens: 4 });
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3), maxTokens: 4 }));
    const refused = expect(bench.engine.run(waiting)).rejects.toThrow("go back");
    await turn();
    const reason = new Error("go back");
    expect(["a", "b", "b", "c"].map((id) => bench.engine.handBack(id, reason))).toEqual([false, true, false, false]);
    await refused;
    expect([bench.engine.counts.waiting, bench.log.of("b")]).toEqual([0, []]);
    const again = bench.engine.run(waiting);
    await bench.drain();
    await Promise.all([done, again]);
    expect(bench.tokens("b")).toEqual(runAlone(waiting.promptIds, 4, 0).tokens);
  });

  it("computes a constrained prompt up to the row that draws, which waits for the grammar alone", async () => {
    const bench = new EngineBench({});
    bench.connect(2);
    const ask = (requestId: string, length: number, constraint: GenerationJob["constraint"]): Promise<void> =>
      bench.engine.run(fakeJob({ requestId, promptIds: prompt(length), maxTokens: 4, constraint, cachePrompt: false }));
    const done = [ask("long", 11, CONSTRAINT), ask("one", 1, CONSTRAINT), ask("free", 5, null)];
    const settle = async (): Promise<void> => {
      for (let round = 0; round < 20; round++) {
        await turn();
        for (const stage of bench.pipe.busy) bench.pipe.advance(stage);
      }
    };
    await settle();
    await done[2];
    expect(sum(bench.pipe.sentRows)).toBe(10 + 5 + 3);
    expect([bench.tokens("long"), bench.tokens("one"), bench.pipe.preparing.length]).toEqual([[], [], 2]);
    const [first = 0, second = 0] = bench.pipe.preparing;
    bench.prepare(second);
    await settle();
    await done[1];
    expect(bench.tokens("one")).toEqual(runAlone(prompt(1), 4, 0).tokens);
    bench.prepare(second); // it has ended and is nobody's
    bench.prepare(first);
    await settle();
    await done[0];
    expect(bench.tokens("long")).toEqual(runAlone(prompt(11), 4, 0).tokens);
  });

  it("ends a sequence whose grammar is refused, by name, and no other", async () => {
    const bench = new EngineBench({});
    bench.connect(1);
    const refused = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(9), constraint: CONSTRAINT }));
    const other = bench.engine.run(fakeJob({ requestId: "b", promptIds: prompt(9) }));
    await turn();
    bench.pipe.advance(0);
    bench.prepare(bench.pipe.preparing[0] ?? 0, new RhoneError("INVALID_REQUEST", "no grammar"));
    await bench.drain();
    await Promise.all([refused, other]);
    const finish = { reason: "error", code: "INVALID_REQUEST", message: "no grammar" };
    expect(bench.log.of("a").map((event) => event.finish)).toEqual([finish]);
    expect(bench.tokens("b")).toEqual(runAlone(prompt(9), 8, 0).tokens);
    expect(bench.pipe.openSequences).toBe(0);
  });

  describe("without a pipeline", () => {
    beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
    afterEach(() => void vi.useRealTimers());

    it("ends every sequence when no pipeline has come within 60 s", async () => {
      const bench = new EngineBench({});
      bench.connect(2);
      const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3) }));
      bench.lose();
      vi.advanceTimersByTime(59_999);
      expect(bench.log.of("a")).toEqual([]);
      vi.advanceTimersByTime(1);
      await done;
      expect(bench.log.of("a").at(-1)?.finish).toMatchObject({ reason: "error", code: "WORKER_LOST" });
    });

    it("ends none when one has come", async () => {
      const bench = new EngineBench({});
      bench.connect(2);
      const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3) }));
      bench.lose();
      vi.advanceTimersByTime(59_999);
      bench.connect(2);
      vi.advanceTimersByTime(60_000);
      await bench.drain();
      await done;
      expect(bench.tokens("a")).toEqual(runAlone(prompt(3), 8, 0).tokens);
    });
  });

  it("resumes a sequence that was evicted with rows in flight when the pipeline was lost", async () => {
    const bench = new EngineBench({ extraPages: 0 });
    bench.connect(5);
    const ids = prompt(12);
    const evicted = bench.engine.run(fakeJob({ requestId: "a", promptIds: ids, maxTokens: 40, lane: "batch" }));
    const other = bench.engine.run(fakeJob({ requestId: "b", promptIds: prompt(12, 2), maxTokens: 40 }));
    await turn();
    while (bench.engine.counts.evictions === 0) {
      bench.pipe.advance(bench.pipe.busy.at(-1) ?? 0);
      await turn();
    }
    bench.lose();
    bench.connect(2);
    await bench.drain();
    await Promise.all([evicted, other]);
    expect(bench.tokens("a")).toEqual(runAlone(ids, 40, 0).tokens);
  });

  it("holds prompts back for streams that had begun before they came, and only for those", async () => {
    const stepMs = (rows: number): number => 10 + rows;
    const rowsOf = async (late: boolean): Promise<readonly number[]> => {
      const bench = new EngineBench({ stepMs });
      bench.connect(1);
      const ask = (requestId: string, length: number): Promise<void> =>
        bench.engine.run(fakeJob({ requestId, promptIds: prompt(length), maxTokens: 24, cachePrompt: false }));
      const done = [ask("warm", 3)]; // teaches what steps cost
      await bench.drain();
      done.push(ask("stream", 3));
      if (!late) done.push(ask("prompt", 40));
      await turn();
      for (let step = 0; step < 3; step++) {
        bench.pipe.advance(0);
        await turn();
      }
      if (late) done.push(ask("prompt", 40));
      await bench.drain();
      await Promise.all(done);
      return bench.pipe.sentRows;
    };
    const full = (rows: readonly number[]): number => rows.filter((count) => count === MAX_ROWS).length;
    // One row takes 11 ms, seven take 17 ms, which is less than 1.6 times as much, and eight take 18 ms.
    expect(full(await rowsOf(true))).toBe(0);
    expect(full(await rowsOf(false))).toBeGreaterThan(3);
  });

  it("puts interactive sequences in the places of batch sequences, which lose no token", async () => {
    const bench = new EngineBench({ maxSequences: 2 });
    bench.connect(1);
    const order: string[] = [];
    const run = async (requestId: string, lane: "interactive" | "batch"): Promise<void> => {
      await bench.engine.run(fakeJob({ requestId, promptIds: prompt(6, requestId.length), maxTokens: 30, lane }));
      order.push(requestId);
    };
    const batch = [run("a", "batch"), run("b", "batch")];
    for (let step = 0; step < 12; step++) {
      await turn();
      bench.pipe.advance(0);
    }
    expect(bench.tokens("a").length).toBeGreaterThan(2);
    const interactive = [run("cc", "interactive"), run("dd", "interactive")];
    await bench.drain();
    await Promise.all([...batch, ...interactive]);
    expect(order.slice(0, 2).toSorted()).toEqual(["cc", "dd"]);
    expect(bench.engine.counts.evictions).toBe(2);
    for (const id of ["a", "b"]) expect(bench.tokens(id)).toEqual(runAlone(prompt(6, 1), 30, 0).tokens);
  });

  it("computes an interactive prompt before the batch prompts that came first", async () => {
    const bench = new EngineBench({ maxSequences: 8 });
    bench.connect(1);
    const order: string[] = [];
    const run = async (requestId: string, lane: "interactive" | "batch"): Promise<void> => {
      await bench.engine.run(fakeJob({ requestId, promptIds: prompt(40, requestId.length), maxTokens: 1, lane }));
      order.push(requestId);
    };
    const runs = ["a", "bb", "ccc", "dddd"].map((id) => run(id, "batch"));
    await turn();
    bench.pipe.advance(0);
    runs.push(run("urgent", "interactive"));
    await bench.drain();
    await Promise.all(runs);
    expect(order).toEqual(["urgent", "a", "bb", "ccc", "dddd"]);
  });

  it("sends several chunks of one prompt into the pipe at once", async () => {
    const bench = new EngineBench({});
    bench.connect(3);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(40), maxTokens: 1 }));
    await turn();
    bench.pipe.advance(0);
    bench.pipe.advance(1);
    bench.pipe.advance(0);
    expect(bench.pipe.busy).toEqual([0, 1, 2]);
    await bench.drain();
    await done;
  });

  it("decides nothing while the token log is full", async () => {
    const bench = new EngineBench({});
    bench.log.full = true;
    bench.connect(1);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3) }));
    await turn();
    expect(bench.pipe.busy).toEqual([]);
    bench.log.full = false;
    bench.lose();
    bench.connect(1);
    await bench.drain();
    await done;
  });

  it("goes on as soon as the token log has written what filled it", async () => {
    const bench = new EngineBench({});
    bench.connect(1);
    const done = bench.engine.run(fakeJob({ requestId: "a", promptIds: prompt(3) }));
    await turn();
    const append = bench.log.append.bind(bench.log);
    bench.log.append = (events) => {
      bench.log.full = false;
      return append(events);
    };
    bench.log.full = true;
    bench.pipe.advance(0);
    expect(bench.pipe.busy).toEqual([]);
    await bench.drain();
    await done;
    expect(bench.tokens("a")).toEqual(runAlone(prompt(3), 8, 0).tokens);
  });
});
