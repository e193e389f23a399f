import { expect, it } from "vitest";
import type { AttackFigures } from "./measure-attack.js";
import { verdictOf } from "./verdict.js";

const gateway = { name: "gateway", before: 100e6, most: 300e6, after: 120e6 };
const within: AttackFigures = {
  attack: "a",
  usualGapMs: 30,
  gapMs: 280,
  beginMs: 900,
  healthMs: 249,
  broken: 0,
  losses: 0,
  memory: [gateway],
  seconds: 1,
  replies: {},
};

const judge = (changes: Partial<AttackFigures> = {}, afterS = 60) =>
  verdictOf(
    [
      { ...within, attack: "b" },
      { ...within, ...changes },
    ],
    { missing: [], afterS },
  );

it("finds nothing in figures that are as high as they may be", () => {
  const { exceeding, text } = judge({ losses: null });
  expect(exceeding).toEqual([]);
  expect(text).toMatch(/^Every attack \(2\) is within the bars: a gap of at most 250 ms .*\.$/);
});

it.each<[Partial<AttackFigures>, string]>([
  [{ gapMs: 281 }, "a gap of 281 ms, 251 over the usual"],
  [{ healthMs: 250 }, "/health after 250 ms"],
  [{ losses: 1 }, "pipelines lost: 1"],
  [{ broken: 2 }, "streams broken: 2"],
  [{ memory: [{ ...gateway, after: 121e6 }] }, "gateway at 121 MB after 60 s, 100 before (at most 20 % more)"],
  [{ memory: [{ ...gateway, after: 0 }] }, "gateway ended"],
])("names the attack and the bar that %j exceeds, with the numbers", (changes, excess) => {
  const { exceeding, text } = judge(changes);
  expect(exceeding).toEqual([{ attack: "a", excesses: [excess] }]);
  expect(text).toMatch(/^Over the bars: 1 of 2 attacks/);
  expect(text).toContain(`\n  a: ${excess}`);
});

it("judges memory only when it had a minute to come back", () => {
  const memory = [{ ...gateway, after: 300e6 }];
  expect(judge({ memory }).exceeding).toHaveLength(1);
  const { exceeding, text } = judge({ memory }, 59);
  expect(exceeding).toEqual([]);
  expect(text).toContain("it had 59 s to come back; give it --after 60.");
});

it("names attacks that were not made", () => {
  expect(verdictOf([within], { missing: ["c", "d"], afterS: 60 }).text).toMatch(/\nNot made, .*: c, d\.$/);
});
