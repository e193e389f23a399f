import { Network } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";
import { SpreadCluster } from "./spread-cluster.js";

const STREAMS = 4;
const TOKENS = 90;
/** gRPC's keep-alive needs 10 to 15 s, and a stage that can't connect to the next one says so after 10 s. */
const NOTICED = { timeout: 18_000, interval: 50 };
const NAMED = { timeout: 15_000, interval: 50 };
/** Longest gaps in a stream, in seconds. A pipeline that is stuck counts as lost after 120. */
const A_MOMENT = 3;
const A_WHILE = 12;
const PATIENCE = { timeout: 60_000, interval: 50 };
const TIMEOUT = { timeout: 90_000 };

skipWithoutHosts();
let network: Network<"front" | "one" | "two" | "spare">;
let spread: SpreadCluster;
/** The streams' tokens when nothing disturbs them: simulated ones, by a rule. */
let undisturbed: readonly (readonly number[])[];

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["front", "one", "two", "spare"]);
  const { front, one, two } = network.hosts;
  spread = await SpreadCluster.start({ front, workers: [one, two], stages: 2 });
  undisturbed = await Promise.all(startStreams().map(({ done }) => done));
});
afterAll(() => {
  network?.close();
  spread?.close();
});

const startStreams = (): readonly ResumingStream[] =>
  Array.from({ length: STREAMS }, (_, index) => {
    const body = { prompt: `Stream ${index}`, max_tokens: TOKENS, ignore_eos: true, temperature: 0 };
    return new ResumingStream(spread.cluster, body, 80_000);
  });

async function startedStreams(): Promise<readonly ResumingStream[]> {
  const streams = startStreams();
  const shortest = () => Math.min(...streams.map(({ ids }) => ids.length));
  const begun = expect.poll(shortest, PATIENCE).toBeGreaterThan(10);
  await Promise.race([begun, ...streams.map(({ done }) => done)]); // one that fails says why
  return streams;
}

/** Disturbs streams in the middle; they must be whole and as they would have been. The longest gap, in seconds. */
async function longestGap(disturb: () => unknown): Promise<number> {
  const streams = await startedStreams();
  await disturb();
  expect(await Promise.all(streams.map(({ done }) => done))).toEqual(undisturbed);
  expect(streams.every(({ breaks }) => breaks === 0)).toBe(true);
  return Math.max(...streams.map(({ longestGapMs }) => longestGapMs)) / 1000;
}

const state = async (): Promise<string> => (await spread.status()).state;
const joined = async (): Promise<number> => (await spread.status()).workers.length;

const refusal = async (): Promise<readonly [number, string]> => {
  const refused = await spread.cluster.post("/v1/completions", { prompt: "x", max_tokens: 2 });
  return [refused.status, await refused.text()];
};

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

test("a partition between two stages is noticed and named; once it heals, streams go on", TIMEOUT, async (context) => {
  const { one, two } = network.hosts;
  const gap = await longestGap(async () => {
    network.partition(one, two);
    await expect.poll(state, NOTICED).not.toBe("ready");
    await expect.poll(state, NAMED).toBe("failed");
    // Between two tries the stages are said to be connecting.
    await expect
      .poll(refusal, PATIENCE)
      .toEqual([
        503,
        expect.stringMatching(/The connection to the next stage at (one|two):\d+ failed: nobody answered within 10 s/),
      ]);
    network.heal(one, two);
  });
  await context.annotate(`${gap} s`);
  await expect.poll(() => spread.takesRequests(), PATIENCE).toBe(true);
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
