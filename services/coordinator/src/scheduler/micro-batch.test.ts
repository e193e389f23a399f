import { describe, expect, it } from "vitest";
import { fakeSequence } from "../testing/scheduling.js";
import { MicroBatchBuilder } from "./micro-batch.js";
import { KvPages } from "./pages/kv-pages.js";
import type { Sequence } from "./sequence.js";
import { WireIds } from "./wire-ids.js";

/** Pages of 4 positions and steps of 8 rows. */
function setUp({ slidingWindow = 0, total = 8, maxRows = 8 } = {}) {
  const shape = { pageSize: 4, slidingWindow, contextLength: 32, maxRows };
  const pages = new KvPages(shape, total);
  const wireIds = new WireIds();
  const begin = () => new MicroBatchBuilder(shape, { pages, wireIds });
  const start = (sequence: Sequence): Sequence => {
    sequence.start(pages.acquire(sequence));
    return sequence;
  };
  const chunk = (builder: MicroBatchBuilder, sequence: Sequence, count: number): void => {
    builder.addChunk(sequence, count, pages.grow(sequence, sequence.sentEnd + count));
    sequence.send(count);
  };
  /** The next row of a decoding sequence, after a token was drawn. */
  const decode = (builder: MicroBatchBuilder, sequence: Sequence, drafts: readonly number[] = []): void => {
    sequence.append([77], 1);
    builder.addDecodeRow(sequence, pages.grow(sequence, sequence.sentEnd + 1), drafts);
    sequence.send(1);
  };
  return { pages, wireIds, begin, start, chunk, decode };
}

describe("MicroBatchBuilder", () => {
  it("opens a sequence with its first span and whole page table, then sends only new pages", () => {
    const { begin, start, chunk } = setUp();
    const sequence = start(fakeSequence({ promptLength: 10 }));
    const first = begin();
    chunk(first, sequence, 6);
    expect(first.finish([], null)).toMatchObject({
      opens: [{ sequence, wireId: 1 }],
      spans: [{ wireId: 1, position: 0, count: 6, pages: [0, 1], firstPage: 0, sample: false }],
      rows: 6,
      decodeRows: 0,
      group: null,
    });
    const second = begin();
    chunk(second, sequence, 4);
    expect(second.finish([], null)).toMatchObject({
      opens: [],
      spans: [{ wireId: 1, position: 6, count: 4, pages: [2], sample: true }],
    });
  });

  it("names the group only when it carries decode rows", () => {
    const { begin, start, chunk, decode } = setUp();
    const [decoding, prompt] = [start(fakeSequence({ promptLength: 2 })), start(fakeSequence({ promptLength: 5 }))];
    chunk(begin(), decoding, 2);
    const mixed = begin();
    decode(mixed, decoding);
    chunk(mixed, prompt, 5);
    expect(mixed.room).toBe(2);
    expect([mixed.has(decoding), mixed.has(fakeSequence())]).toEqual([true, false]);
    expect(mixed.finish([9], 1)).toMatchObject({ rows: 6, decodeRows: 1, group: 1, closes: [9] });
    const prompts = begin();
    expect(prompts.finish([], 1).group).toBeNull();
  });

  it.each([
    { drafts: 3, others: 0, total: 8, kept: 3, pages: [1], why: "all fit; position 4 needs a page" },
    { drafts: 7, others: 3, total: 8, kept: 4, pages: [2], why: "8 rows in all" },
    { drafts: 3, others: 0, total: 1, kept: 1, pages: [], why: "no page for position 4" },
    { drafts: 0, others: 0, total: 1, kept: 0, pages: [], why: "none asked for" },
  ])("carries $kept of $drafts drafts beside $others rows with $total pages: $why", (example) => {
    const { drafts, others, total, kept, pages: newPages } = example;
    const { begin, start, chunk, decode } = setUp({ total });
    const sequence = start(fakeSequence({ promptLength: 2 }));
    chunk(begin(), sequence, 2);
    const builder = begin();
    if (others > 0) chunk(builder, start(fakeSequence({ promptIds: [9, 9, 9] })), others);
    decode(
      builder,
      sequence,
      Array.from({ length: drafts }, (_, index) => 90 + index),
    );
    const span = builder.finish([], 0).spans.at(-1);
    expect(span).toMatchObject({ position: 2, count: 1 + kept, sample: true, pages: newPages });
    expect(span?.drafts).toEqual([90, 91, 92, 93, 94, 95, 96].slice(0, kept));
    expect(sequence.sentEnd).toBe(3); // drafts do not count as sent
  });

  it("gives pages back that no later row sees, and only when the micro-batch is complete", () => {
    const { begin, start, chunk, pages } = setUp({ slidingWindow: 4, total: 8 });
    const sequence = start(fakeSequence({ promptLength: 16, cachePrompt: false }));
    const builder = begin();
    chunk(builder, sequence, 8);
    expect(pages.counts.free).toBe(6);
    expect(builder.finish([], null).spans[0]).toMatchObject({ firstPage: 0, pages: [0, 1] });
    expect(pages.counts.free).toBe(7); // position 8 sees 5 to 8: page 0 is behind it
    const next = begin();
    chunk(next, sequence, 8);
    expect(next.finish([], null).spans[0]).toMatchObject({ position: 8, firstPage: 1 });
  });

  it("registers a page when the token of its last row is known, and only then leaves it behind the window", () => {
    const { begin, start, pages } = setUp({ slidingWindow: 1 });
    const sequence = start(fakeSequence({ promptLength: 3 }));
    const add = (count: number): void => {
      const builder = begin();
      builder.addChunk(sequence, count, pages.grow(sequence, sequence.sentEnd + count));
      sequence.send(count);
      builder.finish([], null);
    };
    add(3);
    add(1); // ahead: its row completes the page with a token that the stage alone will know
    expect([pages.held(sequence), pages.counts.cached]).toEqual([1, 0]);
    sequence.append([50], 1);
    pages.advance(sequence);
    expect([pages.held(sequence), pages.counts]).toEqual([0, { total: 8, free: 7, cached: 1 }]);
    expect(pages.acquire(fakeSequence({ promptIds: [1, 2, 3, 50, 60] }))).toBe(4);
  });

  it("leaves no page in the cache whose last row was behind the end", () => {
    const { begin, start, pages } = setUp();
    const sequence = start(fakeSequence({ promptLength: 3 }));
    for (const count of [3, 1]) {
      begin().addChunk(sequence, count, pages.grow(sequence, sequence.sentEnd + count));
      sequence.send(count);
    }
    pages.release(sequence); // its fourth token was an end
    expect(pages.counts).toEqual({ total: 8, free: 8, cached: 0 });
  });

  it("copies the partly equal page before the first span, and gives its source back afterwards", () => {
    const { begin, start, chunk, pages } = setUp();
    const first = start(fakeSequence({ promptLength: 8 }));
    chunk(begin(), first, 8);
    pages.release(first);
    const second = start(fakeSequence({ promptLength: 8 }));
    const builder = begin();
    chunk(builder, second, 1);
    const { copies, spans } = builder.finish([], null);
    expect(copies).toEqual([{ from: 1, to: 2 }]);
    expect(spans).toMatchObject([{ position: 7, count: 1, pages: [0, 2] }]);
    expect(pages.counts).toEqual({ total: 8, free: 5, cached: 1 });
  });

  it.each([
    { from: 0, count: 5, generated: [], scored: 4, why: "the last row has no token after it" },
    { from: 0, count: 3, generated: [], scored: 3, why: "rows 0 to 2 have tokens 1 to 3 after them" },
    { from: 2, count: 3, generated: [], scored: 2, why: "rows 2 and 3" },
    { from: 0, count: 5, generated: [70], scored: 0, why: "scored before, by the coordinator that began it" },
  ])("scores $scored of rows from $from to $from + $count: $why", ({ from, count, generated, scored }) => {
    const { begin, start, chunk } = setUp();
    const sequence = start(fakeSequence({ promptLength: 5, promptLogprobs: 0, generated }));
    if (from > 0) chunk(begin(), sequence, from);
    const builder = begin();
    chunk(builder, sequence, count);
    expect(builder.finish([], null).spans[0]?.scored).toBe(scored);
  });

  it("has room for 64 rows of scored prompts, and for as many others as fit", () => {
    const { begin, start, chunk } = setUp({ maxRows: 512, total: 512 });
    const [first, second] = [1, 2].map(() => start(fakeSequence({ promptLength: 400, promptLogprobs: 20 })));
    const other = start(fakeSequence({ promptLength: 400 }));
    const builder = begin();
    const room = () => [second, other].map((sequence) => sequence && builder.roomFor(sequence));
    expect(room()).toEqual([64, 512]);
    if (first !== undefined) chunk(builder, first, 40);
    expect(room()).toEqual([24, 472]);
  });

  it("draws no token for a request without one", () => {
    const { begin, start, chunk } = setUp();
    const sequence = start(fakeSequence({ promptLength: 5, maxTokens: 0, pooling: "mean" }));
    const builder = begin();
    chunk(builder, sequence, 5);
    expect(builder.finish([], null).spans[0]?.sample).toBe(false);
  });
});
