import type { GenerationJob } from "@rhone/common";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { base64, CONSTRAINT, CONTEXT, EngineBench, MAX_ROWS, pieceOf, prompt, turn } from "../testing/engine-bench.js";
import { fakeJob } from "../testing/fake-job.js";
import { type NextToken, nextToken, repetitiveToken, runAlone } from "../testing/next-token.js";

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
    ends: fc.constantFrom("length", "length", "token", "text"),
    cancelAt: fc.option(fc.nat(200), { freq: 3 }),
  }),
  { minLength: 1, maxLength: 24, size: "max" },
);

const setups = fc.record({
  plans,
  stages: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 5 })),
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

/** One token in 17 ends a text that does not ignore them, and one in 10 completes the stop string. */
const END_TOKENS = Array.from({ length: 58 }, (_, index) => 5 + 17 * index);
const STOP = "1><";
/** The draws of two tokens in 1,000 fail. */
const FAILS_FROM = 998;

describe("Engine", () => {
  it("gives every sequence what it gets alone, ends each once, and loses no page", async () => {
    const seen = { evicted: 0, cached: 0, accepted: 0, ahead: 0 }; // setups
    await fc.assert(
      fc.asyncProperty(setups, async ({ plans: raw, stages, lossAt, choices, ...setup }) => {
        const { slidingWindow, extraPages, maxDrafts, stepMs } = setup;
        const next = setup.repetitive ? repetitiveToken : nextToken;
        const all = raw.map((plan, index): Plan => {
          const { length, maxTokens, batch, reads, at, cancelAt, family, cachePrompt, salt, key } = plan;
          const { constrained, ends } = plan;
          const job = fakeJob({
            ignoreEos: ends !== "token",
            stop: ends === "text" ? [STOP] : [],
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
        const limits = { slidingWindow, extraPages, maxSequences: 8, maxDrafts };
        const bench = new EngineBench({ ...limits, endTokens: END_TOKENS, failsFrom: FAILS_FROM, next, stepMs });
        bench.connect(stages);
        const pending: Promise<void>[] = [];
        let carried = 0;
        for (let tick = 0; tick < 260; tick++) {
          for (const { job, at, cancelAt } of all) {
            if (at === tick) pending.push(bench.engine.run(job));
            if (cancelAt === tick) bench.engine.cancel(job.requestId);
          }
          if (lossAt === tick) {
            carried += bench.pipe.carried;
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
        if (carried + bench.pipe.carried > 0) seen.ahead++;
      }),
      { numRuns: 100, timeout: 5000 },
    );
    // Or the pools were too large to try anything. Of 2,000 setups 61 % evicted, 45 % found cached tokens, 17 %
    // accepted drafts and 32 % went ahead, so that 100 of them fail here by chance once in 4 million runs.
    expect(seen.evicted).toBeGreaterThan(10);
    expect(seen.cached).toBeGreaterThan(5);
    expect(seen.accepted).toBeGreaterThan(0);
    expect(seen.ahead).toBeGreaterThan(10);
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
  const expected = upToEnd(alone.tokens, job);
  expect(events.map((event) => event.ordinal)).toEqual(events.map((_, index) => index));
  expect(events.filter((event) => event.finish !== undefined)).toEqual([events.at(-1)]);
  const reason = events.at(-1)?.finish?.reason;
  const tokens = bench.tokens(job.requestId);
  if (reason === "cancelled") {
    expect(cancelAt).not.toBeNull();
    expect(tokens).toEqual(expected.tokens.slice(0, tokens.length));
    return;
  }
  expect(reason).toBe(expected.reason);
  expect(tokens).toEqual(expected.tokens);
  expect(events.at(-1)?.embedding).toBe(job.pooling === null ? undefined : base64(alone.embedding));
  // A first draw that fails takes the scores of its own span with it.
  if (job.promptLogprobs === null || reason === "error") return;
  // No event has more scores than a step.
  for (const { promptLogprobs = [] } of events) expect(promptLogprobs.length).toBeLessThanOrEqual(MAX_ROWS);
  const scores = events.flatMap(({ promptLogprobs = [] }) => promptLogprobs);
  expect(scores.map((score) => score.logprob)).toEqual(alone.scores);
}

/**
 * `tokens` up to the one that ends the job's text: an end token, the one that completes its stop string, or the one
 * before a draw that fails.
 */
function upToEnd(
  tokens: readonly number[],
  job: GenerationJob,
): { readonly tokens: readonly number[]; readonly reason: string } {
  const endsByToken = !job.ignoreEos || job.constraint !== null;
  let text = "";
  for (const [index, token] of tokens.entries()) {
    if (token >= FAILS_FROM) return { tokens: tokens.slice(0, index), reason: "error" };
    text += pieceOf(token);
    const ends = (endsByToken && END_TOKENS.includes(token)) || job.stop.some((stop) => text.includes(stop));
    if (ends) return { tokens: tokens.slice(0, index + 1), reason: "stop" };
  }
  return { tokens, reason: "length" };
}
