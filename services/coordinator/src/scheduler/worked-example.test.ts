import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fakeJob } from "../testing/fake-job.js";
import { nameOf, noTimes, pipeline, shape } from "../testing/scheduling.js";
import type { MicroBatch, PlannedSpan } from "./micro-batch.js";
import { Scheduler } from "./scheduler.js";
import type { Sequence } from "./sequence.js";

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
