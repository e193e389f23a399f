import { Network } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";
import { SECOND, SpreadCluster } from "./spread-cluster.js";

const STREAMS = 4;
const TOKENS = 400;
/** Most by which a stream's longest gap may exceed the usual one, in seconds: a step takes 10 ms. */
const UNDISTURBED = 0.5;
const NOTICED = { timeout: 30_000, interval: 50 };
const TIMEOUT = { timeout: 90_000 };

skipWithoutHosts();
let network: Network<"front" | "one" | "far">;
let spread: SpreadCluster;

beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["front", "one", "far"]);
  const { front, one, far } = network.hosts;
  spread = await SpreadCluster.start({ front, workers: [one], stages: 1, second: far });
});
afterAll(() => {
  network?.close();
  spread?.close();
});

const stream = (index: number, model?: string): ResumingStream => {
  const body = { model, prompt: `Stream ${index}`, max_tokens: TOKENS, ignore_eos: true, temperature: 0 };
  return new ResumingStream(spread.cluster, body, 60_000);
};
const streams = (): readonly ResumingStream[] => Array.from({ length: STREAMS }, (_, index) => stream(index));

const longestGap = (all: readonly ResumingStream[]): number =>
  Math.max(...all.map(({ longestGapMs }) => longestGapMs)) / 1000;

async function ready(): Promise<Readonly<Record<string, boolean>>> {
  const { data } = (await (await fetch(`${spread.cluster.url}/v1/models`)).json()) as {
    readonly data: readonly { readonly id: string; readonly ready: boolean }[];
  };
  return Object.fromEntries(data.map(({ id, ready }) => [id, ready]));
}

const short = (model: string) => spread.cluster.post("/v1/completions", { model, prompt: "x", max_tokens: 2 });

test("a model whose machine loses its power is lost alone, and comes back", TIMEOUT, async ({ annotate }) => {
  const { far } = network.hosts;
  const usual = streams();
  const undisturbed = await Promise.all(usual.map(({ done }) => done));
  const [own, lost] = [streams(), stream(0, SECOND)];
  await expect.poll(() => Math.min(lost.ids.length, ...own.map(({ ids }) => ids.length)), NOTICED).toBeGreaterThan(5);
  far.unplug();
  far.killAll();
  expect(await Promise.all(own.map(({ done }) => done))).toEqual(undisturbed);
  const gap = longestGap(own) - longestGap(usual);
  await annotate(`${gap} s`);
  expect([gap < UNDISTURBED, own.map(({ breaks }) => breaks)]).toEqual([true, [0, 0, 0, 0]]);
  await expect.poll(() => spread.takesRequests(SECOND), NOTICED).toBe(false);
  expect(await ready()).toEqual({ breeze: true, [SECOND]: false });
  expect([(await short("breeze")).status, (await short(SECOND)).status]).toEqual([200, 503]);
  far.plug();
  await spread.startSecond(far);
  await expect.poll(() => spread.takesRequests(SECOND), NOTICED).toBe(true);
  expect((await short(SECOND)).status).toBe(200);
});
