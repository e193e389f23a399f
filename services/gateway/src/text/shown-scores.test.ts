import { expect, it } from "vitest";
import { ShownScores } from "./shown-scores.js";

/** Every token is "a". */
const model = { pieceBytes: () => Buffer.from("a") };
const score = (token: number) => ({ token, logprob: -1, top: [] });

it("gives scores out with their text, and those of a very long beginning of a stop string before", () => {
  const shown = new ShownScores(model, { hiddenSpace: false, special: false });
  shown.show("aa");
  const counts = Array.from({ length: 300 }, (_, i) => shown.take(score(i)).length);
  expect(counts.slice(0, 4)).toEqual([1, 1, 0, 0]);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(300 - 256);
  const rest = shown.end({ reason: "stop", matched: 5 });
  expect(rest.map(({ score: { token } }) => token)).toEqual(Array.from({ length: 256 }, (_, i) => i + 44));
});

it("ends with what a stop string leaves of them", () => {
  const shown = new ShownScores(model, { hiddenSpace: false, special: false });
  expect([0, 1, 2].flatMap((token) => shown.take(score(token)))).toEqual([]);
  shown.show("aa");
  const left = shown.end({ reason: "stop", matched: "a" });
  expect(left.map(({ score: { token } }) => token)).toEqual([0, 1]);
});
