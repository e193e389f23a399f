import { afterAll, beforeAll, expect, test } from "vitest";
import type { ResumingStream } from "../cluster/resuming-stream.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";
import { A_MOMENT, PATIENCE, SILENCE, TIMEOUT, TwoStages } from "./two-stages.js";
import { WireShaper } from "./wire-shaper.js";

const A_WHILE = 12;
/** Longer than kernels wait before they ask again for a connection. */
const CUT_FOR_MS = 20_000;

skipWithoutHosts();
let stages: TwoStages;

beforeAll(async () => {
  if (whyNoHosts === null) stages = await TwoStages.start();
}, 120_000);
afterAll(() => stages?.close());

const tokensOf = (streams: readonly ResumingStream[]): number => streams.reduce((sum, { ids }) => sum + ids.length, 0);

test("a connection between a worker and the coordinator that is reset does, too", TIMEOUT, async ({ annotate }) => {
  const { one, front } = stages.hosts;
  const gap = await stages.longestGap(() => expect(one.reset(front)).toBeGreaterThan(0));
  await annotate(`${gap} s`);
  expect(gap).toBeLessThan(A_MOMENT);
});

test("the coordinator's cable is pulled and put back: all workers join again", TIMEOUT, async ({ annotate }) => {
  const { front } = stages.hosts;
  const gap = await stages.longestGap(async () => {
    front.unplug();
    const before = stages.spread.losses;
    await expect.poll(() => stages.spread.losses, PATIENCE).toBe(before + 2);
    front.plug();
  });
  await annotate(`${gap} s`);
  expect(gap).toBeLessThan(A_WHILE);
  await expect.poll(() => stages.joined(), PATIENCE).toBe(2);
});

test(
  "the last stage and the coordinator do not reach each other: soon after they do, streams go on",
  TIMEOUT,
  async ({ annotate }) => {
    const { front, two } = stages.hosts;
    await stages.longestGap(async (streams) => {
      const cutAt = performance.now();
      stages.network.partition(two, front);
      await expect.poll(() => performance.now() - cutAt > CUT_FOR_MS, PATIENCE).toBe(true);
      const had = tokensOf(streams);
      stages.network.heal(two, front);
      const healedAt = performance.now();
      await expect.poll(() => tokensOf(streams), PATIENCE).toBeGreaterThan(had);
      const gap = (performance.now() - healedAt) / 1000;
      await annotate(`${gap} s after it healed`);
      expect(gap).toBeLessThan(SILENCE);
    });
  },
);

test("a link that is slow and loses packets is none that is lost", TIMEOUT, async ({ annotate }) => {
  const cable = new WireShaper(stages.hosts.two);
  const before = await stages.epoch();
  await cable.shape({ delayMs: 100, loss: 0.03 });
  const gap = await stages.longestGap(() => {});
  await cable.shape(null);
  await annotate(`${gap} s`);
  expect([await stages.epoch(), await stages.detours()]).toEqual([before, []]);
});

test("a worker's cable is pulled: a spare takes its place, and it joins again later", TIMEOUT, async ({ annotate }) => {
  const { one, spare } = stages.hosts;
  await stages.spread.startWorker(spare);
  await expect.poll(() => stages.joined(), PATIENCE).toBe(3);
  expect((await stages.spread.stages()).toSorted()).toEqual(["one", "two"]);
  const gap = await stages.longestGap(() => one.unplug());
  await annotate(`${gap} s`);
  expect(gap).toBeLessThan(A_WHILE);
  expect((await stages.spread.stages()).toSorted()).toEqual(["spare", "two"]);
  one.plug();
  await expect.poll(() => stages.joined(), PATIENCE).toBe(3);
});

test(
  "the last stage and the coordinator do not reach each other: a spare takes its place",
  TIMEOUT,
  async ({ annotate }) => {
    const { front, two } = stages.hosts;
    expect(await stages.spread.stages()).toContain("two");
    const gap = await stages.longestGap(() => stages.network.partition(two, front));
    await annotate(`${gap} s`);
    expect(gap).toBeLessThan(A_WHILE);
    expect((await stages.spread.stages()).toSorted()).toEqual(["one", "spare"]);
    stages.network.heal(two, front);
    await expect.poll(() => stages.joined(), PATIENCE).toBe(3);
  },
);
