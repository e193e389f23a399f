import type { GenerationJob } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { fakeJob } from "../testing/fake-job.js";
import { nameOf, noTimes, pipeline, shape } from "../testing/scheduling.js";
import type { MicroBatch, PlannedSpan } from "./micro-batch.js";
import { Scheduler } from "./scheduler.js";
import type { Sequence } from "./sequence.js";

/** A scheduler with a pipeline, and the micro-batches that it has in flight. */
class Ahead {
  readonly scheduler: Scheduler;
  readonly inFlight: MicroBatch[] = [];

  constructor({ stages = 1, maxDrafts = 0, maxSequences = 8, pages = 8 } = {}) {
    this.scheduler = new Scheduler({ shape, maxSequences, targetItl: "off", maxDrafts });
    this.scheduler.resume({ ...pipeline, stages, pages });
  }

  add(requestId: string, overrides: Partial<GenerationJob> = {}): Sequence {
    const sequence = this.scheduler.arrive(fakeJob({ requestId, promptIds: [1, 2, 3], ...overrides }), []);
    this.scheduler.add(sequence);
    return sequence;
  }

  /** Decides until nothing is left to send; the new micro-batches as their spans' names, those carried with a ">". */
  decide(): readonly string[] {
    const decided: string[] = [];
    for (let batch = this.scheduler.decide(); batch !== null; batch = this.scheduler.decide()) {
      this.inFlight.push(batch);
      decided.push(batch.spans.map(cell).join(" "));
    }
    return decided;
  }

  /** The oldest micro-batch returns: each of its sequences draws a token; `ended` end with theirs. */
  return(...ended: readonly string[]): void {
    const batch = this.inFlight.shift();
    if (batch === undefined) throw new Error("nothing is in flight");
    const living = batch.spans.filter(({ sequence }) => sequence.phase !== "ended");
    const outcomes = living.map((span) => ({
      span,
      tokens: span.sample ? [7] : [],
      ended: ended.includes(nameOf(span)),
    }));
    this.scheduler.complete(batch, outcomes, noTimes);
  }

  /** The oldest one returns and all that can be sent is sent. */
  next(...ended: readonly string[]): readonly string[] {
    this.return(...ended);
    return this.decide();
  }
}

const cell = (span: PlannedSpan): string =>
  `${span.carried ? ">" : ""}${nameOf(span)}${span.position}${span.count > 1 ? `+${span.count}` : ""}`;

describe("Scheduler, ahead of its results", () => {
  it("has two rows of a sequence in flight where one stage draws and embeds", () => {
    const ahead = new Ahead();
    ahead.add("a");
    expect([ahead.decide(), ahead.next(), ahead.next(), ahead.next()]).toEqual([
      ["a0+3"], // behind a prompt nobody goes ahead alone
      ["a3", ">a4"],
      [">a5"],
      [">a6"],
    ]);
  });

  it.each([
    { name: "with two stages", options: { stages: 2 } },
    { name: "with speculation", options: { maxDrafts: 2 } },
  ])("waits for each token $name", ({ options }) => {
    const ahead = new Ahead(options);
    ahead.add("a");
    expect([ahead.decide(), ahead.next(), ahead.next()]).toEqual([["a0+3"], ["a3"], ["a4"]]);
  });

  it("sends nothing past the last token that a sequence may have", () => {
    const ahead = new Ahead();
    ahead.add("few", { maxTokens: 3 });
    expect([ahead.decide(), ahead.next(), ahead.next()]).toEqual([["few0+3"], ["few3", ">few4"], []]);
    const whole = new Ahead();
    const promptIds = Array.from({ length: shape.contextLength - 3 }, (_, index) => index);
    whole.add("long", { promptIds, maxTokens: 100 });
    expect([whole.decide(), whole.next()]).toEqual([["long0+8", "long8+8"], ["long16+5"]]);
    expect([whole.next(), whole.next(), whole.next()]).toEqual([[], ["long21", ">long22"], []]);
  });

  it("sends no row behind a prompt that is only scored", () => {
    const ahead = new Ahead();
    ahead.add("scored", { maxTokens: 0, promptLogprobs: 0 });
    expect([ahead.decide(), ahead.next("scored")]).toEqual([["scored0+2"], [""]]); // a frame that closes it
  });

  it("keeps sequences in step: a new one joins the rows that follow its prompt, carried or not", () => {
    const ahead = new Ahead();
    ahead.add("a");
    expect([ahead.decide(), ahead.next()]).toEqual([["a0+3"], ["a3", ">a4"]]);
    ahead.add("b", { cachePrompt: false });
    expect(ahead.decide()).toEqual([]); // two steps are in flight
    expect([ahead.next(), ahead.next(), ahead.next()]).toEqual([[">a5 b0+3"], [">b3 >a6"], [">a7 >b4"]]);
  });

  it("ignores the row behind an end, and tells the stage of the end with the next rows", () => {
    const ahead = new Ahead();
    const [a] = [ahead.add("a"), ahead.add("b")];
    ahead.decide();
    expect([ahead.next(), ahead.next("a")]).toEqual([["a3 b3", ">a4 >b4"], [">b5"]]);
    expect(ahead.inFlight.at(-1)?.closes).toEqual([1]);
    expect(ahead.next()).toEqual([">b6"]); // a's wasted row has returned
    expect([a.phase, a.length]).toEqual(["ended", 4]);
    while (ahead.inFlight.length > 0) ahead.return("b");
    expect(ahead.scheduler.leakedPages).toBe(0);
  });

  it("keeps both tokens of a sequence that is evicted with two rows in flight, and starts it after them", () => {
    const ahead = new Ahead({ maxSequences: 2 });
    ahead.add("a");
    const batch = ahead.add("b", { lane: "batch", cachePrompt: false });
    ahead.decide();
    expect(ahead.next()).toEqual(["a3 b3", ">a4 >b4"]);
    const urgent = ahead.add("urgent");
    ahead.decide();
    expect([batch.phase, batch.length, batch.spansInFlight]).toEqual(["waiting", 4, 2]);
    ahead.scheduler.end(urgent);
    expect([ahead.next(), batch.spansInFlight]).toEqual([[">a5"], 1]); // it can't start yet
    expect(ahead.next()).toEqual([">a6 b0+6"]);
  });

  it("evicts no sequence for want of a page before it knows that its row is needed", () => {
    const ahead = new Ahead({ pages: 4 });
    ahead.add("a", { promptIds: [1, 2, 3, 4, 5, 6], maxTokens: 20 });
    ahead.decide();
    const batch = ahead.add("b", { promptIds: [9], lane: "batch", maxTokens: 20 });
    const steps = Array.from({ length: 4 }, () => ahead.next());
    expect(steps).toEqual([["a6 b0", ">a7 >b1"], [">a8 >b2"], [">a9 >b3"], [">a10"]]); // a8 took the last page
    expect([batch.phase, batch.sentEnd, batch.length]).toEqual(["decoding", 4, 4]);
    expect([ahead.next(), batch.phase, ahead.scheduler.evictions]).toEqual([[">a11"], "waiting", 1]);
  });
});
