import { readFileSync } from "node:fs";
import { type GenerationJob, packBias } from "@rhone/common";
import { describe, expect, it } from "vitest";
import { fakeJob } from "../testing/fake-job.js";
import type { MicroBatch, PlannedSpan } from "./micro-batch.js";
import { Scheduler } from "./scheduler.js";
import type { Sequence } from "./sequence.js";

/** The worked example of docs/scheduler.md: 2 stages, 8 pages of 4 positions, at most 8 rows per step. */
const shape = { pageSize: 4, slidingWindow: 0, contextLength: 24, maxRows: 8 };
const pipeline = { stages: 2, pages: 8, stepTimes: null, rowBlock: 1 };
/** Stages that do not say what they take: one group per stage, and prompts get all the room that there is. */
const noTimes = { stageMs: [], overheadMs: 0 };

/**
 * Every step of the example: group, rows, spans (positions, "→" draws), pages appended, and free + cached pages after.
 */
const TABLE = `
| step | group | rows | spans          | new pages    | closes | free + cached |
| ---- | ----- | ---- | -------------- | ------------ | ------ | ------------- |
| 1    |       | 8    | A 0–5 →, B 0–1 | A: 0 1, B: 2 |        | 5 + 0         |
| 2    |       | 1    | B 2 →          |              |        | 5 + 0         |
| 3    | 0     | 1    | A 6 →          |              |        | 5 + 0         |
| 4    | 1     | 1    | B 3 →          |              |        | 5 + 0         |
| 5    | 0     | 8    | A 7 →, C 0–6   | C: 3 4       |        | 3 + 0         |
| 6    | 1     | 4    | B 4 →, C 7–9 → | B: 5, C: 6   |        | 1 + 0         |
| 7    | 0     | 1    | A 8 →          | A: 7         |        | 0 + 0         |
| 8    | 1     | 1    | B 5 →          |              |        | 0 + 0         |
| 9    | 0     | 2    | A 9 →, C 10 →  |              |        | 0 + 0         |
| 10   | 1     | 1    | B 6 →          |              |        | 0 + 0         |
| 11   | 0     | 2    | A 10 →, C 11 → |              |        | 0 + 0         |
| 12   | 1     | 1    | B 7 →          |              |        | 0 + 0         |
| 13   | 0     | 1    | A 11 →         |              | 3      | 0 + 3         |
| 14   | 1     | 1    | B 8 →          | B: 6         |        | 0 + 2         |
| 15   | 0     | 1    | A 12 →         | A: 4         |        | 0 + 1         |
| 16   | 1     | 1    | B 9 →          |              |        | 0 + 1         |
| 17   |       | 8    | C 4–11         | C: 3 4 7     | 1      | 0 + 2         |
| 18   | 1     | 2    | B 10 →, C 12 → | C: 1         |        | 0 + 1         |
| 19   |       | 8    | B 0–7          | B: 0 1       |        | 6 + 0         |
| 20   |       | 3    | B 8–10 →       | B: 2         |        | 5 + 0         |
| 21   | 0     | 8    | B 11 →, C 0–6  | C: 3 4       |        | 3 + 0         |
| 22   |       | 6    | C 7–12 →       | C: 5 6       |        | 1 + 0         |
`.trim();

const STEPS = TABLE.split("\n").slice(2);

class Example {
  readonly scheduler = new Scheduler({ shape, maxSequences: 8, targetItl: "off", maxDrafts: 0 });
  readonly rows: string[] = [];
  readonly sequences = new Map<string, Sequence>();
  #inFlight: MicroBatch[] = [];

  arrive(name: string, promptLength: number, lane: "interactive" | "batch" = "interactive"): Sequence {
    // Three different prompts, so that no prompt begins like another.
    const promptIds = Array.from({ length: promptLength }, (_, index) => 100 * name.charCodeAt(0) + index);
    const sequence = this.scheduler.arrive(fakeJob({ requestId: name, promptIds, lane, maxTokens: 20 }), []);
    this.sequences.set(name, sequence);
    this.scheduler.add(sequence);
    return sequence;
  }

  connect(): void {
    this.scheduler.resume(pipeline);
    this.decideAll();
  }

  lose(): void {
    this.#inFlight = [];
    this.scheduler.suspend();
  }

  /** Decides until nothing is left to send. */
  decideAll(): void {
    for (let batch = this.scheduler.decide(); batch !== null; batch = this.scheduler.decide()) {
      this.#inFlight.push(batch);
      this.rows.push(this.#row(batch));
    }
  }

  /** The oldest steps return, until `last` has. Each span that draws gets a token; `ended` ends with its own. */
  return({ until, ended }: { readonly until: number; readonly ended?: string }): void {
    while (this.rows.length - this.#inFlight.length < until) {
      const batch = this.#inFlight.shift();
      if (batch === undefined) throw new Error(`Nothing is in flight before step ${until}`);
      const outcomes = batch.spans.map((span) => ({
        span,
        tokens: span.sample ? [7] : [],
        ended: span.sample && nameOf(span) === ended,
      }));
      this.scheduler.complete(batch, outcomes, noTimes);
      this.decideAll();
    }
  }

  /** The story up to the loss of the first pipeline, or to `until` returned steps of it. */
  static play(until = 17): Example {
    const example = new Example();
    example.arrive("A", 6);
    example.arrive("B", 3);
    example.connect();
    example.return({ until: Math.min(2, until) });
    if (until <= 2) return example;
    example.arrive("C", 10, "batch");
    example.return({ until: Math.min(14, until) });
    if (until >= 15) example.return({ until: 15, ended: "A" });
    if (until >= 16) example.return({ until });
    return example;
  }

  #row({ group, rows, spans, closes }: MicroBatch): string {
    const { free, cached } = this.scheduler.pages;
    const newPages = spans.filter(({ pages }) => pages.length > 0);
    const cells = [
      [String(this.rows.length + 1), 4],
      [String(group ?? ""), 5],
      [String(rows), 4],
      [spans.map(spanCell).join(", "), 14],
      [newPages.map((span) => `${nameOf(span)}: ${span.pages.join(" ")}`).join(", "), 12],
      [closes.join(" "), 6],
      [`${free} + ${cached}`, 13],
    ] as const;
    return `| ${cells.map(([text, width]) => text.padEnd(width)).join(" | ")} |`;
  }
}

const nameOf = ({ sequence }: PlannedSpan): string => sequence.job.requestId;

function spanCell(span: PlannedSpan): string {
  const last = span.position + span.count - 1;
  const positions = last === span.position ? `${last}` : `${span.position}–${last}`;
  return `${nameOf(span)} ${positions}${span.sample ? " →" : ""}`;
}

describe("the worked example of docs/scheduler.md", () => {
  it("takes exactly these steps", () => {
    const example = Example.play();
    example.lose();
    example.connect();
    example.return({ until: 20 });
    expect(example.rows).toEqual(STEPS);
  });

  it("is printed there", () => {
    const page = readFileSync(new URL("../../../../docs/scheduler.md", import.meta.url), "utf8");
    expect(page).toContain(TABLE);
  });

  it("admits C because 5 pages are available: 3 for its prompt and one for each running sequence", () => {
    const { scheduler } = Example.play(2);
    expect(scheduler.pages.free).toBe(5);
    const example = Example.play(3);
    expect([example.scheduler.running, example.scheduler.waiting]).toEqual([3, 0]);
  });

  it("evicts C, of the batch lane, for want of a page; C keeps its 13 tokens and leaves 3 full pages in the cache", () => {
    const before = Example.play(10);
    expect([before.scheduler.evictions, before.scheduler.running]).toEqual([0, 3]);
    const after = Example.play(11);
    expect([after.scheduler.evictions, after.scheduler.running, after.scheduler.waiting]).toEqual([1, 2, 1]);
    expect(after.sequences.get("C")).toMatchObject({ phase: "waiting", length: 13, sentEnd: 0, cachedTokens: 0 });
    expect(after.scheduler.pages).toEqual({ total: 8, free: 0, cached: 3 });
  });

  it("admits C again when A ends, from the one page of its own that is left in the cache", () => {
    const { scheduler, sequences } = Example.play(15);
    expect(sequences.get("A")?.phase).toBe("ended");
    expect(sequences.get("C")).toMatchObject({ phase: "prefilling", prefillStart: 4, sentEnd: 12, prefillEnd: 13 });
    expect(scheduler.running).toBe(2);
  });

  it("loses no token with the pipeline: B and C are prefilled with 11 and 13", () => {
    const example = Example.play();
    example.lose();
    const lengths = ["B", "C"].map((name) => example.sequences.get(name)?.length);
    expect(lengths).toEqual([11, 13]);
    expect([example.scheduler.running, example.scheduler.waiting]).toEqual([0, 2]);
    expect(example.scheduler.pages).toEqual({ total: 0, free: 0, cached: 0 });
    expect(example.scheduler.evictions).toBe(1); // a loss is no eviction
    example.connect();
    example.return({ until: 22 });
    expect(["B", "C"].map((name) => example.sequences.get(name)?.length)).toEqual([13, 14]);
  });
});

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
