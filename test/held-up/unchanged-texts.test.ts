import { ATTACKS, Sender } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningCluster } from "../cluster/start-cluster.js";
import { TokenStream } from "../cluster/token-stream.js";

let cluster: RunningCluster;
beforeAll(async () => {
  cluster = await RunningCluster.start(["--workers", "3"]);
});
afterAll(() => cluster?.stop());

const STREAMS = 8;
const TOKENS = 900;
const LINES = 60;

/** Greedy and seeded streams in turn. */
const bodyOf = (index: number): object => ({
  prompt: [300 + index, 400, 500],
  max_tokens: TOKENS,
  ignore_eos: true,
  temperature: index % 2,
  seed: index,
  return_token_ids: true,
  stream: true,
});

const openStreams = () => Array.from({ length: STREAMS }, (_, index) => new TokenStream(cluster, bodyOf(index)));

/** Starts a batch; resolves with the texts of its answers by custom_id. */
async function runBatch(): Promise<Readonly<Record<string, string>>> {
  const line = (id: number) => ({
    custom_id: `line-${id}`,
    body: { prompt: `Line ${id}`, max_tokens: 40, temperature: 1, seed: id, ignore_eos: true },
  });
  const requests = Array.from({ length: LINES }, (_, id) => line(id));
  const order = { requests, endpoint: "/v1/completions" };
  const { id } = await cluster.ask<{ id: string }>("/v1/batch/jobs", order);
  const job = async () => (await fetch(`${cluster.url}/v1/batch/jobs/${id}?inline=true`)).json() as Promise<Job>;
  await expect.poll(async () => (await job()).status, { timeout: 90_000, interval: 200 }).toBe("SUCCESS");
  const { outputs } = await job();
  return Object.fromEntries(
    (outputs ?? []).map(({ custom_id, response }) => [custom_id, response.body.choices[0].text]),
  );
}

interface Job {
  readonly status: string;
  readonly outputs:
    | readonly {
        readonly custom_id: string;
        readonly response: { readonly body: { readonly choices: readonly [{ readonly text: string }] } };
      }[]
    | null;
}

async function answers(): Promise<readonly unknown[]> {
  const batch = runBatch();
  const streams = openStreams();
  return Promise.all([batch, ...streams.map(({ done }) => done)]);
}

test("no text of eight streams and a batch changes under attack", { timeout: 240_000 }, async () => {
  const undisturbed = await answers();
  const stop = new AbortController();
  const sender = new Sender({ url: cluster.url, apiKey: undefined, signal: stop.signal });
  const { model } = await cluster.status();
  const attacks = ATTACKS.filter(({ isQuick }) => isQuick === true);
  const attacking = (async () => {
    for (const attack of attacks) if (!stop.signal.aborted) await attack.send(sender, model);
  })();
  const [attacked] = await Promise.all([answers().finally(() => stop.abort()), attacking]);
  expect(attacked).toEqual(undisturbed);
  sender.close();
  expect((await cluster.status()).state).toBe("ready");
});
