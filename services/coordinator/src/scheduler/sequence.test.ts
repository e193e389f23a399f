import { describe, expect, it } from "vitest";
import { fakeSequence } from "../testing/scheduling.js";

describe("Sequence", () => {
  it.each([
    { what: "a generation", job: {}, prefillEnd: 5 },
    { what: "a generation that another coordinator began", job: { generated: [70, 71] }, prefillEnd: 7 },
    { what: "scores, which do not need the last row", job: { maxTokens: 0, promptLogprobs: 0 }, prefillEnd: 4 },
    { what: "an embedding, which needs every row", job: { maxTokens: 0, pooling: "mean" as const }, prefillEnd: 5 },
  ])("of 5 prompt tokens computes up to $prefillEnd for $what", ({ job, prefillEnd }) => {
    expect(fakeSequence({ promptLength: 5, ...job }).prefillEnd).toBe(prefillEnd);
  });

  it("ranks every batch sequence behind every interactive one, and by arrival within a lane", () => {
    const batch = fakeSequence({ lane: "batch" });
    const [first, second] = [fakeSequence(), fakeSequence()];
    expect(first.rank).toBeLessThan(second.rank);
    expect(second.rank).toBeLessThan(batch.rank);
    expect(batch.rank).toBeLessThan(fakeSequence({ lane: "batch" }).rank);
  });

  it("goes from waiting over prefilling to decoding as its positions are sent", () => {
    const sequence = fakeSequence({ promptLength: 6 });
    const state = () => [sequence.phase, sequence.sentEnd, sequence.spansInFlight, sequence.length];
    expect(state()).toEqual(["waiting", 0, 0, 6]);
    sequence.start(4); // from the prefix cache
    expect(state()).toEqual(["prefilling", 4, 0, 6]);
    sequence.send(1);
    expect(state()).toEqual(["prefilling", 5, 1, 6]);
    sequence.send(1);
    expect(state()).toEqual(["decoding", 6, 2, 6]);
    sequence.receive();
    sequence.receive();
    sequence.append([50], 1);
    expect(state()).toEqual(["decoding", 6, 0, 7]);
    sequence.send(1);
    expect(state()).toEqual(["decoding", 7, 1, 7]);
    sequence.end();
    expect(sequence.phase).toBe("ended");
  });

  it("goes on behind a row that was sent ahead of its token", () => {
    const sequence = fakeSequence({ promptLength: 4 });
    const state = () => [sequence.length, sequence.sentEnd, sequence.knowsNext];
    sequence.start(0);
    sequence.send(4);
    expect(state()).toEqual([4, 4, false]);
    sequence.send(1);
    expect(state()).toEqual([4, 5, false]);
    sequence.append([50], 1);
    expect(state()).toEqual([5, 5, false]);
    sequence.append([51], 1);
    expect(state()).toEqual([6, 5, true]);
  });

  it.each([
    { sent: 4, maxTokens: 8, contextLength: 32, draws: true, why: "two tokens more at least" },
    { sent: 3, maxTokens: 8, contextLength: 32, draws: false, why: "no row in flight draws" },
    { sent: 5, maxTokens: 8, contextLength: 32, draws: false, why: "its next row is sent" },
    { sent: 4, maxTokens: 1, contextLength: 32, draws: false, why: "it wants one token" },
    { sent: 4, maxTokens: 2, contextLength: 32, draws: true, why: "it wants two" },
    { sent: 4, maxTokens: 8, contextLength: 5, draws: false, why: "its fifth token is the last that has room" },
    { sent: 4, maxTokens: 8, contextLength: 6, draws: true, why: "its sixth one has room" },
    { sent: 4, maxTokens: 0, contextLength: 32, draws: false, why: "it draws nothing" },
  ])("after $sent of 4 prompt tokens, a token after the next: $draws ($why)", (example) => {
    const { sent, maxTokens, contextLength, draws } = example;
    const sequence = fakeSequence({ promptLength: 4, maxTokens });
    sequence.start(0);
    sequence.send(sent);
    expect(sequence.drawsAfterNext(contextLength)).toBe(draws);
  });

  it("computes the row of the last right draft's successor next, whatever wrong drafts were sent", () => {
    const sequence = fakeSequence({ promptLength: 4 });
    sequence.start(0);
    sequence.send(4);
    sequence.append([50, 51, 52], 1); // two drafts were right
    expect([sequence.length, sequence.sentEnd]).toEqual([7, 6]);
  });

  it("waits again with all of its tokens after an eviction, and takes tokens that are still in flight", () => {
    const sequence = fakeSequence({ promptLength: 4 });
    sequence.start(0);
    sequence.send(4);
    sequence.evict();
    sequence.append([50], 1);
    expect([sequence.phase, sequence.sentEnd, sequence.length, sequence.spansInFlight]).toEqual(["waiting", 0, 5, 1]);
    sequence.loseSpans();
    sequence.start(4);
    expect([sequence.phase, sequence.prefillStart, sequence.prefillEnd, sequence.spansInFlight]).toEqual([
      "prefilling",
      4,
      5,
      0,
    ]);
  });

  it("remembers what its first admission found in the cache, at most its prompt", () => {
    const sequence = fakeSequence({ promptLength: 4, generated: [50, 51, 52, 53] });
    expect([sequence.hasRun, sequence.cachedTokens]).toEqual([false, 0]);
    sequence.start(6);
    sequence.evict();
    sequence.start(0);
    expect([sequence.hasRun, sequence.cachedTokens]).toEqual([true, 4]);
  });

  it("remembers how many had arrived when it got its first token", () => {
    const sequence = fakeSequence();
    expect(sequence.arrivalsAtFirstToken).toBeNull();
    sequence.append([50], 7);
    sequence.append([51], 9);
    expect(sequence.arrivalsAtFirstToken).toBe(7);
  });

  it("keeps every token when it outgrows its first room", () => {
    const sequence = fakeSequence({ promptLength: 3, maxTokens: 2000 });
    for (let token = 0; token < 1000; token++) sequence.append([token], 1);
    expect([...sequence.tokens(0, 5)]).toEqual([1, 2, 3, 0, 1]);
    expect([...sequence.tokens(1000, 2000)]).toEqual([997, 998, 999]);
    expect([sequence.length, sequence.generated]).toEqual([1003, 1000]);
  });
});
