import { describe, expect, it } from "vitest";
import { fakeSequence } from "../testing/scheduling.js";
import { RunningSet } from "./running-set.js";
import type { Sequence } from "./sequence.js";

/** Pages of 4 positions; `total` of them. */
function setUp(total: number) {
  const shape = { pageSize: 4, slidingWindow: 0, contextLength: 32, maxRows: 8 };
  const waiting: Sequence[] = [];
  const onWaiting = (sequence: Sequence): void => void waiting.push(sequence);
  const running = new RunningSet({ shape, pages: total, stages: 2, goesAhead: false, onWaiting });
  const start = (overrides: Parameters<typeof fakeSequence>[0] = {}): Sequence => {
    const sequence = fakeSequence({ cachePrompt: false, ...overrides });
    running.start(sequence, running.pages.acquire(sequence));
    return sequence;
  };
  const none = { has: () => false };
  return { running, waiting, start, none };
}

describe("RunningSet", () => {
  it("says who decodes and which prompts are being computed", () => {
    const { running, start } = setUp(8);
    const [first, second] = [start({ promptLength: 4 }), start({ promptLength: 6 })];
    first.send(4);
    running.prefilling.remove(first);
    second.send(2); // its rows count until all of them are computed
    expect(running.prefillLoad).toEqual({ decoding: 1, groups: 2, requests: 1, promptRows: 6, burst: true });
    running.release(second);
    expect(running.prefillLoad).toEqual({ decoding: 1, groups: 2, requests: 0, promptRows: 0, burst: false });
  });

  it("counts a request once, however many choices it has", () => {
    const { running, start } = setUp(32);
    for (const requestId of ["a-0", "a-1", "a-2", "b-r1-0", "b-r1-11"]) start({ promptLength: 4, requestId });
    expect(running.prefillLoad).toMatchObject({ requests: 2, promptRows: 20 });
  });

  it("evicts the newest batch sequence first, then the newest interactive one", () => {
    const { running, waiting, start, none } = setUp(4);
    const [oldest, batch, interactive, other] = [start(), start({ lane: "batch" }), start(), start()];
    for (const sequence of [oldest, batch, interactive, other]) running.grow(sequence, 4, none);
    running.grow(oldest, 8, none);
    running.grow(oldest, 12, none);
    expect(waiting).toEqual([batch, other]);
    expect(running.evictions).toBe(2);
  });

  it("never evicts a sequence of lesser rank, of the micro-batch, or without pages", () => {
    const { running, waiting, start, none } = setUp(2);
    const [older, newer, empty] = [start(), start(), start()];
    running.grow(older, 4, none);
    running.grow(newer, 4, none);
    expect(running.grow(newer, 8, none)).toBeNull();
    expect(running.grow(older, 8, { has: (sequence) => sequence === newer })).toBeNull();
    expect(waiting).toEqual([]);
    expect(running.grow(older, 8, none)).toEqual([1]);
    expect(waiting).toEqual([newer]);
    expect([...running]).toEqual([older, empty]);
  });

  it.each([
    { budget: 8, rows: 8, why: "two pages" },
    { budget: 20, rows: 12, why: "three pages hold no more" },
    { budget: 2, rows: 2, why: "the budget" },
  ])("affords $rows of $budget rows to a sequence that may not evict: $why", ({ budget, rows }) => {
    const { running, start } = setUp(3);
    start();
    expect(running.affordableRows(start({ promptLength: 30 }), budget)).toBe(rows);
  });

  it("affords the oldest whatever it wants, since it may evict the others", () => {
    const { running, start } = setUp(3);
    expect(running.affordableRows(start({ promptLength: 30 }), 20)).toBe(20);
  });

  it("has room for a prompt beside the pages of other prompts and one for each running sequence", () => {
    const { running, start } = setUp(6);
    start({ promptLength: 4 }); // needs 2 pages with its first token
    const head = fakeSequence({ promptLength: 8, cachePrompt: false }); // needs 3
    running.pages.acquire(head);
    expect(running.hasRoomFor(head)).toBe(true); // 6 - 2 >= 3 + 1
    start({ promptLength: 1 });
    expect(running.hasRoomFor(head)).toBe(false); // 6 - 3 < 3 + 2
  });

  it.each([
    { firstTokenAfter: null, burst: true, why: "the stream has no token yet" },
    { firstTokenAfter: 1000, burst: true, why: "the prompt arrived before its first token" },
    { firstTokenAfter: 0, burst: false, why: "the prompt arrived after its first token" },
  ])("burst $burst: $why", ({ firstTokenAfter, burst }) => {
    const { running, start } = setUp(8);
    expect(running.prefillLoad.burst).toBe(false); // no prompt
    const stream = start();
    running.prefilling.remove(stream);
    if (firstTokenAfter !== null) stream.append([1], firstTokenAfter + (firstTokenAfter > 0 ? stream.arrival : 0));
    start();
    expect(running.prefillLoad.burst).toBe(burst);
  });

  it("sends all sequences to wait when its pipeline is lost, without counting evictions", () => {
    const { running, waiting, start } = setUp(8);
    const all = [start(), start()];
    running.close({ hasFailed: true });
    expect(waiting).toEqual(all);
    expect([running.evictions, all.map(({ phase }) => phase)]).toEqual([0, ["waiting", "waiting"]]);
  });
});
