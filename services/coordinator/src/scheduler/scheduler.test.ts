import { type GenerationJob, packBias } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { fakeJob } from "../testing/fake-job.js";
import { nameOf, noTimes, pipeline, shape } from "../testing/scheduling.js";
import type { MicroBatch } from "./micro-batch.js";
import { Scheduler } from "./scheduler.js";
import type { Sequence } from "./sequence.js";

describe("Scheduler", () => {
  const open = (overrides: { readonly maxSequences?: number } = {}) =>
    new Scheduler({ shape, maxSequences: 8, targetItl: "off", maxDrafts: 0, ...overrides });
  const add = (scheduler: Scheduler, requestId: string, overrides: Partial<GenerationJob> = {}): Sequence => {
    const sequence = scheduler.arrive(fakeJob({ requestId, promptIds: [1, 2, 3], ...overrides }), []);
    scheduler.add(sequence);
    return sequence;
  };
  const names = (batch: MicroBatch | null) => batch?.spans.map(nameOf);

  it("decides nothing without a pipeline, without sequences, or when everything is in flight", () => {
    const scheduler = open();
    const sequence = add(scheduler, "a");
    expect(scheduler.decide()).toBeNull();
    scheduler.resume(pipeline);
    expect(names(scheduler.decide())).toEqual(["a"]);
    expect(scheduler.decide()).toBeNull();
    expect([sequence.phase, sequence.spansInFlight]).toEqual(["decoding", 1]);
  });

  it("says what a request would meet: rows of prompts, and what its own rows and tokens take", () => {
    const scheduler = open();
    expect(scheduler.workload(10)).toEqual({ rows: 0, rowMs: 0, aloneMs: 0, fullMs: 0, placeMs: 0 });
    const curve = [1, 8].map((rows) => ({ rows, layerMs: 10 * rows, headMs: 0 }));
    const stepTimes = Array.from({ length: 2 }, () => ({ curve, layers: 1, heads: false }));
    scheduler.resume({ ...pipeline, stepTimes });
    add(scheduler, "a");
    expect(scheduler.workload(10).rows).toBe(3);
    const { rowMs, aloneMs, fullMs } = scheduler.workload(10);
    expect([rowMs, aloneMs, fullMs].map((ms) => ms / rowMs)).toEqual([1, 2, 8]);
    const batch = scheduler.decide();
    expect(scheduler.workload(10).rows).toBe(0);
    const [span] = batch?.spans ?? [];
    if (batch === null || span === undefined) throw new Error("nothing was decided");
    scheduler.complete(batch, [{ span, tokens: [5], ended: true }], noTimes);
    // Its one full page is cached.
    add(scheduler, "b", { promptIds: [1, 2, 3, 9, 9, 9] });
    add(scheduler, "c", { promptIds: [1, 2, 3, 9, 9, 9], cachePrompt: false });
    expect(scheduler.workload(10).rows).toBe(12);
    scheduler.suspend();
    expect(scheduler.workload(10).rows).toBe(0);
    scheduler.resume({ ...pipeline, stepTimes });
    expect(scheduler.workload(10).rows).toBe(12);
  });

  it("says how long it takes until a place is free", () => {
    const scheduler = open({ maxSequences: 2 });
    const curve = [{ rows: 1, layerMs: 10, headMs: 0 }];
    scheduler.resume({ ...pipeline, stages: 1, stepTimes: [{ curve, layers: 1, heads: false }] });
    add(scheduler, "a", { maxTokens: 30 });
    scheduler.decide();
    expect(scheduler.workload(20).placeMs).toBe(0);
    add(scheduler, "b", { maxTokens: 8 });
    scheduler.decide();
    const { placeMs, fullMs } = scheduler.workload(20);
    expect(placeMs / fullMs).toBe(8);
    expect(scheduler.workload(5).placeMs / fullMs).toBe(5);
  });

  it("tells the stages of an ended sequence with the next rows, or alone when nothing else is in flight", () => {
    const scheduler = open();
    const sequence = add(scheduler, "a");
    scheduler.resume(pipeline);
    const first = scheduler.decide();
    scheduler.end(sequence);
    expect(scheduler.decide()).toBeNull(); // the first is in flight
    if (first !== null) scheduler.complete(first, [], noTimes);
    expect(scheduler.decide()).toMatchObject({ rows: 0, spans: [], closes: [first?.spans[0]?.wireId] });
    expect(scheduler.leakedPages).toBe(0);
  });

  it("ends a sequence in any phase, and twice", () => {
    const scheduler = open({ maxSequences: 1 });
    const [running, waiting] = [add(scheduler, "a"), add(scheduler, "b")];
    scheduler.resume(pipeline);
    scheduler.decide();
    for (const sequence of [waiting, running, running]) scheduler.end(sequence);
    expect([scheduler.running, scheduler.waiting, scheduler.leakedPages]).toEqual([0, 0, 0]);
  });

  it("opens sequences with large biases in several steps, and small ones beside them", () => {
    const scheduler = open();
    const pairs = 131_072;
    const logitBias = packBias({ tokens: new Int32Array(pairs), values: new Float32Array(pairs) });
    const { sampling } = fakeJob({ requestId: "", promptIds: [] });
    for (const id of ["a", "b", "c"]) add(scheduler, id, { promptIds: [1], sampling: { ...sampling, logitBias } });
    add(scheduler, "small", { promptIds: [1] });
    scheduler.resume(pipeline);
    const opened = () => scheduler.decide()?.opens.map(({ sequence }) => sequence.job.requestId);
    expect([opened(), opened()]).toEqual([["a", "b", "small"], ["c"]]);
  });

  it("puts an interactive sequence in a batch sequence's place, and never the reverse", () => {
    const scheduler = open({ maxSequences: 1 });
    add(scheduler, "batch", { lane: "batch" });
    scheduler.resume(pipeline);
    expect(names(scheduler.decide())).toEqual(["batch"]);
    add(scheduler, "interactive");
    expect(names(scheduler.decide())).toEqual(["interactive"]);
    add(scheduler, "another", { lane: "batch" });
    expect(scheduler.decide()).toBeNull();
    expect([scheduler.evictions, scheduler.waiting]).toEqual([1, 2]);
  });

  it("gives a key that runs nothing a place of one that runs more, at once, and takes none back", () => {
    const scheduler = open({ maxSequences: 4 });
    for (const id of ["h0", "h1", "h2", "h3", "h4"]) add(scheduler, id, { keyId: "heavy", promptIds: [1, 2] });
    scheduler.resume(pipeline);
    expect(names(scheduler.decide())).toEqual(["h0", "h1", "h2", "h3"]);
    for (const id of ["l0", "l1", "l2"]) add(scheduler, id, { keyId: "light", promptIds: [1] });
    expect(names(scheduler.decide())).toEqual(["l0", "l1"]);
    expect(scheduler.decide()).toBeNull(); // two each
    expect([scheduler.evictions, scheduler.running, scheduler.waiting]).toEqual([2, 4, 4]);
  });

  it("lets a third key pass what gave way, and continues that, token by token, before what has not begun", () => {
    const scheduler = open({ maxSequences: 2 });
    const heavy = ["h0", "h1", "h2"].map((id) => add(scheduler, id, { keyId: "heavy", promptIds: [1] }));
    scheduler.resume(pipeline);
    const inFlight: (MicroBatch | null)[] = [scheduler.decide()];
    const step = (): readonly string[] => {
      const batch = inFlight.shift() ?? null;
      const outcomes = batch?.spans.map((span) => ({ span, tokens: [9], ended: false })) ?? [];
      if (batch !== null) scheduler.complete(batch, outcomes, noTimes);
      inFlight.push(scheduler.decide());
      return names(inFlight.at(-1) ?? null) ?? [];
    };
    const light = add(scheduler, "l0", { keyId: "light" });
    expect(step()).toContain("l0");
    const third = add(scheduler, "t0", { keyId: "third" });
    scheduler.end(light);
    expect(step()).toContain("t0");
    scheduler.end(third);
    expect([...step(), ...step()]).toContain("h1");
    expect(heavy.map(({ phase }) => phase)).toEqual(["decoding", "decoding", "waiting"]);
    expect(heavy[1]?.length).toBeGreaterThan(1); // its tokens are kept
  });

  it("gives a key pages of one that holds more", () => {
    const scheduler = open();
    for (const id of ["h0", "h1", "h2"]) add(scheduler, id, { keyId: "heavy", promptIds: [1, 2, 3, 4, 5, 6] });
    scheduler.resume({ ...pipeline, pages: 6 });
    expect(scheduler.decide()).toMatchObject({ rows: 8 });
    add(scheduler, "l0", { keyId: "light" });
    for (let batch = scheduler.decide(); batch !== null; batch = scheduler.decide()) {
      if (names(batch)?.includes("l0")) return expect(scheduler.evictions).toBe(1);
    }
    throw new Error("the light key got no pages");
  });

  it("counts the pages that the prefix cache has for a key as its own, so that no two keys take them in turns", () => {
    const scheduler = open();
    const first = add(scheduler, "first", { promptIds: [1, 2, 3, 4] });
    scheduler.resume({ ...pipeline, pages: 9 });
    scheduler.decide();
    scheduler.end(first); // its page stays in the cache
    add(scheduler, "long", { keyId: "b", promptIds: Array.from({ length: 20 }, (_, i) => 100 + i) });
    // Each needs one page, into which the cached one is copied.
    add(scheduler, "a", { keyId: "a", promptIds: [1, 2, 8] });
    add(scheduler, "b", { keyId: "b", promptIds: [1, 2, 9] });
    scheduler.decide();
    expect([scheduler.evictions, scheduler.running, scheduler.waiting]).toEqual([0, 2, 1]);
  });

  it("starts an evicted sequence again only when all of its spans are back", () => {
    const scheduler = open({ maxSequences: 1 });
    const batch = add(scheduler, "batch", { lane: "batch" });
    scheduler.resume(pipeline);
    const first = scheduler.decide();
    const interactive = add(scheduler, "interactive", { maxTokens: 1 });
    const second = scheduler.decide();
    scheduler.end(interactive);
    expect(names(scheduler.decide()) ?? []).toEqual([]); // its span is the first frame, still in flight
    if (first === null || second === null) throw new Error("nothing was decided");
    scheduler.complete(
      first,
      first.spans.map((span) => ({ span, tokens: [9], ended: false })),
      noTimes,
    );
    expect([batch.length, batch.phase]).toEqual([4, "waiting"]); // the token of the evicted run is kept
    expect(names(scheduler.decide())).toEqual(["batch"]);
  });

  it("takes another number of groups when steps show what they take, although nobody arrives", () => {
    const options = {
      shape: { ...shape, contextLength: 400 },
      maxSequences: 12,
      targetItl: "off",
      maxDrafts: 0,
    } as const;
    const scheduler = new Scheduler(options);
    scheduler.resume({ ...pipeline, pages: 800 });
    for (let id = 0; id < 12; id++) {
      scheduler.add(scheduler.arrive(fakeJob({ requestId: `${id}`, promptIds: [id + 1], maxTokens: 300 }), []));
    }
    const groups: (number | null)[] = [];
    const inFlight: MicroBatch[] = [];
    for (let step = 0; step < 400; step++) {
      for (let batch = scheduler.decide(); batch !== null; batch = scheduler.decide()) inFlight.push(batch);
      const batch = inFlight.shift();
      if (batch === undefined) break;
      groups.push(batch.group);
      const outcomes = batch.spans.map((span) => ({ span, tokens: [7], ended: false }));
      // 10 ms per row and stage, 60 ms on the way: three groups of 4 take 140 ms, two of 6 take 180 ms.
      scheduler.complete(batch, outcomes, { stageMs: [10 * batch.rows, 10 * batch.rows], overheadMs: 60 });
    }
    expect(new Set(groups.slice(0, 10))).not.toContain(2);
    expect(new Set(groups.slice(-10))).toEqual(new Set([0, 1, 2]));
  });

  it("numbers sequences in order of arrival, also those that are never queued", () => {
    const scheduler = open();
    const arrive = () => scheduler.arrive(fakeJob({ requestId: "a", promptIds: [1] }), []).arrival;
    expect([arrive(), arrive(), arrive()]).toEqual([0, 1, 2]);
  });

  it("ignores a result that comes after the pipeline is lost", () => {
    const scheduler = open();
    const sequence = add(scheduler, "a");
    scheduler.resume(pipeline);
    const batch = scheduler.decide();
    scheduler.suspend();
    if (batch !== null) {
      scheduler.complete(
        batch,
        batch.spans.map((span) => ({ span, tokens: [9], ended: false })),
        noTimes,
      );
    }
    expect([sequence.length, sequence.spansInFlight, sequence.phase]).toEqual([3, 0, "waiting"]);
  });
});
