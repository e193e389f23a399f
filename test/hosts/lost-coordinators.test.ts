import { type Host, Network } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";
import { SpreadCluster } from "./spread-cluster.js";

const STREAMS = 8;
/** Enough for the other coordinator to run all streams at a time once it has taken them. */
const TOKENS = 600;
/** A lease is over 3 to 3.5 s after its holder's last word; the rest is for a busy machine. In seconds. */
const LONGEST_GAP = 9;
const PATIENCE = { timeout: 30_000, interval: 50 };
const TIMEOUT = { timeout: 90_000 };

skipWithoutHosts();
let network: Network<"front" | "one" | "two">;
let spread: SpreadCluster;
/** The streams' tokens when nothing disturbs them: simulated ones, by a rule. */
let undisturbed: readonly (readonly number[])[];

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["front", "one", "two"]);
  const { front, one, two } = network.hosts;
  spread = await SpreadCluster.start({ front, workers: [], stages: 1, replicas: [one, two] });
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

const runningOn = async (host: Host): Promise<number> => (await spread.status(host)).sequences.running;
const untilRunning = async (host: Host, count: number): Promise<void> =>
  expect.poll(() => runningOn(host), PATIENCE).toBe(count);
const stateOf = (host: Host): Promise<string> =>
  spread.status(host).then(
    ({ state }) => state,
    () => "away",
  );
const bothReady = (): Promise<void> =>
  expect
    .poll(() => Promise.all([stateOf(network.hosts.one), stateOf(network.hosts.two)]), PATIENCE)
    .toEqual(["ready", "ready"]);

interface Loss {
  readonly lost: Host;
  /** Has its streams now. */
  readonly other: Host;
  /** In seconds. */
  readonly gap: number;
}

/** Streams in the middle of which the machine of the coordinator that runs most of them is lost. */
async function lose(disturb: (lost: Host, other: Host) => void): Promise<Loss> {
  const { one, two } = network.hosts;
  await bothReady();
  const streams = startStreams();
  await expect.poll(() => Math.min(...streams.map(({ ids }) => ids.length)), PATIENCE).toBeGreaterThan(10);
  const [lost, other] = (await runningOn(one)) >= (await runningOn(two)) ? [one, two] : [two, one];
  disturb(lost, other);
  expect(await Promise.all(streams.map(({ done }) => done))).toEqual(undisturbed);
  expect(streams.every(({ breaks }) => breaks === 0)).toBe(true);
  return { lost, other, gap: Math.max(...streams.map(({ longestGapMs }) => longestGapMs)) / 1000 };
}

test("streams go on at the other coordinator; one whose cable is back does no harm", TIMEOUT, async ({ annotate }) => {
  const { lost, gap } = await lose((host) => host.unplug());
  await annotate(`${gap} s`);
  expect(gap).toBeLessThan(LONGEST_GAP);
  lost.plug();
  await bothReady();
  await expect.poll(() => runningOn(lost), PATIENCE).toBe(0);
  expect(await Promise.all(startStreams().map(({ done }) => done))).toEqual(undisturbed);
});

test("one whose cable is back while the other writes does no harm, either", TIMEOUT, async ({ annotate }) => {
  let back: Promise<void> = Promise.resolve();
  const { lost, gap } = await lose((host, other) => {
    host.unplug();
    back = untilRunning(other, STREAMS).then(() => host.plug());
    back.catch(() => {}); // it is awaited below
  });
  await back;
  await annotate(`${gap} s`);
  await bothReady();
  await expect.poll(() => runningOn(lost), PATIENCE).toBe(0);
});

test("streams go on at the other coordinator when the machine loses its power", TIMEOUT, async ({ annotate }) => {
  const { lost, gap } = await lose((host) => {
    host.unplug();
    host.killAll();
  });
  await annotate(`${gap} s`);
  expect(gap).toBeLessThan(LONGEST_GAP);
  lost.plug();
  await spread.startReplica(lost);
  await bothReady();
});
