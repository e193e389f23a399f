import { cut, mend, Network } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";
import { SpreadCluster } from "./spread-cluster.js";
import { WireShaper } from "./wire-shaper.js";

const STREAMS = 4;
const TOKENS = 90;
/** Of streams that go on while a way closes and opens again. */
const MANY_TOKENS = 900;
/** Longest gaps in a stream, in seconds. */
const A_MOMENT = 3;
/** 3 s until silence is noticed, and then a prefill. */
const SILENCE = 6;
const A_WHILE = 12;
/** Longer than kernels wait before they ask again for a connection. */
const CUT_FOR_MS = 20_000;
const PATIENCE = { timeout: 60_000, interval: 50 };
const TIMEOUT = { timeout: 120_000 };

skipWithoutHosts();
let network: Network<"front" | "one" | "two" | "spare">;
let spread: SpreadCluster;
/** The streams' tokens when nothing disturbs them: simulated ones, by a rule. */
let undisturbed: readonly (readonly number[])[];
let longUndisturbed: readonly (readonly number[])[];

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["front", "one", "two", "spare"]);
  const { front, one, two } = network.hosts;
  spread = await SpreadCluster.start({ front, workers: [one, two], stages: 2 });
  longUndisturbed = await Promise.all(startStreams(MANY_TOKENS).map(({ done }) => done));
  undisturbed = longUndisturbed.map((ids) => ids.slice(0, TOKENS));
}, 120_000);
afterAll(() => {
  network?.close();
  spread?.close();
});

const startStreams = (tokens = TOKENS): readonly ResumingStream[] =>
  Array.from({ length: STREAMS }, (_, index) => {
    const body = { prompt: `Stream ${index}`, max_tokens: tokens, ignore_eos: true, temperature: 0 };
    return new ResumingStream(spread.cluster, body, 80_000);
  });

async function startedStreams(tokens: number): Promise<readonly ResumingStream[]> {
  const streams = startStreams(tokens);
  const shortest = () => Math.min(...streams.map(({ ids }) => ids.length));
  const begun = expect.poll(shortest, PATIENCE).toBeGreaterThan(10);
  await Promise.race([begun, ...streams.map(({ done }) => done)]); // one that fails says why
  return streams;
}

const tokensOf = (streams: readonly ResumingStream[]): number => streams.reduce((sum, { ids }) => sum + ids.length, 0);

/** Disturbs streams in the middle; they must be whole and as they would have been. The longest gap, in seconds. */
async function longestGap(disturb: (streams: readonly ResumingStream[]) => unknown, tokens = TOKENS): Promise<number> {
  const streams = await startedStreams(tokens);
  await disturb(streams);
  expect(await Promise.all(streams.map(({ done }) => done))).toEqual(tokens === TOKENS ? undisturbed : longUndisturbed);
  expect(streams.every(({ breaks }) => breaks === 0)).toBe(true);
  return Math.max(...streams.map(({ longestGapMs }) => longestGapMs)) / 1000;
}

const state = async (): Promise<string> => (await spread.status()).state;
const joined = async (): Promise<number> => (await spread.status()).workers.length;

/** What the coordinator has learned of ways: a worker that joins again may be at another place. */
async function forgetWays(): Promise<void> {
  const { one, front } = network.hosts;
  const before = await epoch();
  one.reset(front);
  const fresh = async () => [await state(), await detours(), (await epoch()) > before];
  await expect.poll(fresh, PATIENCE).toEqual(["ready", [], true]);
}

const detours = async (): Promise<readonly number[] | undefined> => (await spread.status()).detours;
const epoch = async (): Promise<number> => (await spread.status()).epoch;

test("a connection between two stages that is reset costs a moment", TIMEOUT, async ({ annotate }) => {
  const { one, two } = network.hosts;
  const gap = await longestGap(() => expect(one.reset(two)).toBeGreaterThan(0));
  await annotate(`${gap} s`);
  expect(gap).toBeLessThan(A_MOMENT);
});

test("a connection between a worker and the coordinator that is reset does, too", TIMEOUT, async ({ annotate }) => {
  const { one, front } = network.hosts;
  const gap = await longestGap(() => expect(one.reset(front)).toBeGreaterThan(0));
  await annotate(`${gap} s`);
  expect(gap).toBeLessThan(A_MOMENT);
});

test("two stages that do not reach each other: frames make a detour until they do", TIMEOUT, async (context) => {
  const { one, two } = network.hosts;
  const gap = await longestGap(() => network.partition(one, two));
  await context.annotate(`${gap} s until the detour`);
  expect(gap).toBeLessThan(SILENCE);
  expect([await state(), await detours()]).toEqual(["ready", [0]]);
  const back = await longestGap(async () => {
    network.heal(one, two);
    await expect.poll(detours, PATIENCE).toEqual([]);
  }, MANY_TOKENS);
  await context.annotate(`${back} s as it ends`);
  expect(back).toBeLessThan(A_MOMENT);
});

test.each([
  ["first", "second"],
  ["second", "first"],
])("a way on which the %s stage does not reach the %s is none", TIMEOUT, async (deaf) => {
  const { one, two } = network.hosts;
  await forgetWays();
  const [from, to] = deaf === "first" ? [one, two] : [two, one];
  const gap = await longestGap(() => cut(from, to));
  expect(gap).toBeLessThan(SILENCE);
  expect(await detours()).toEqual([0]);
  mend(from, to);
});

test("a way that comes and goes is not taken before it stays", TIMEOUT, async ({ annotate }) => {
  const { one, two } = network.hosts;
  await forgetWays();
  const before = await epoch();
  let flaps = 0;
  const gap = await longestGap(async () => {
    const flapping = setInterval(
      () => (flaps++ % 2 === 0 ? network.partition(one, two) : network.heal(one, two)),
      2000,
    );
    await expect.poll(() => flaps, PATIENCE).toBe(10);
    clearInterval(flapping);
  }, MANY_TOKENS);
  const epochs = (await epoch()) - before;
  await annotate(`${gap} s, ${epochs} epochs`);
  expect(gap).toBeLessThan(SILENCE);
  expect(epochs).toBeLessThanOrEqual(2);
  await expect.poll(detours, PATIENCE).toEqual([]);
});

test("the coordinator's cable is pulled and put back: all workers join again", TIMEOUT, async ({ annotate }) => {
  const { front } = network.hosts;
  const gap = await longestGap(async () => {
    front.unplug();
    const before = spread.losses;
    await expect.poll(() => spread.losses, PATIENCE).toBe(before + 2);
    front.plug();
  });
  await annotate(`${gap} s`);
  expect(gap).toBeLessThan(A_WHILE);
  await expect.poll(joined, PATIENCE).toBe(2);
});

test(
  "the last stage and the coordinator do not reach each other: soon after they do, streams go on",
  TIMEOUT,
  async ({ annotate }) => {
    const { front, two } = network.hosts;
    await longestGap(async (streams) => {
      const cutAt = performance.now();
      network.partition(two, front);
      await expect.poll(() => performance.now() - cutAt > CUT_FOR_MS, PATIENCE).toBe(true);
      const had = tokensOf(streams);
      network.heal(two, front);
      const healedAt = performance.now();
      await expect.poll(() => tokensOf(streams), PATIENCE).toBeGreaterThan(had);
      const gap = (performance.now() - healedAt) / 1000;
      await annotate(`${gap} s after it healed`);
      expect(gap).toBeLessThan(SILENCE);
    });
  },
);

test("a link that is slow and loses packets is none that is lost", TIMEOUT, async ({ annotate }) => {
  const cable = new WireShaper(network.hosts.two);
  const before = await epoch();
  await cable.shape({ delayMs: 100, loss: 0.03 });
  const gap = await longestGap(() => {});
  await cable.shape(null);
  await annotate(`${gap} s`);
  expect([await epoch(), await detours()]).toEqual([before, []]);
});

test("a worker's cable is pulled: a spare takes its place, and it joins again later", TIMEOUT, async ({ annotate }) => {
  const { one, spare } = network.hosts;
  await spread.startWorker(spare);
  await expect.poll(joined, PATIENCE).toBe(3);
  expect((await spread.stages()).toSorted()).toEqual(["one", "two"]);
  const gap = await longestGap(() => one.unplug());
  await annotate(`${gap} s`);
  expect(gap).toBeLessThan(A_WHILE);
  expect((await spread.stages()).toSorted()).toEqual(["spare", "two"]);
  one.plug();
  await expect.poll(joined, PATIENCE).toBe(3);
});

test(
  "the last stage and the coordinator do not reach each other: a spare takes its place",
  TIMEOUT,
  async ({ annotate }) => {
    const { front, two } = network.hosts;
    expect(await spread.stages()).toContain("two");
    const gap = await longestGap(() => network.partition(two, front));
    await annotate(`${gap} s`);
    expect(gap).toBeLessThan(A_WHILE);
    expect((await spread.stages()).toSorted()).toEqual(["one", "spare"]);
    network.heal(two, front);
    await expect.poll(joined, PATIENCE).toBe(3);
  },
);
