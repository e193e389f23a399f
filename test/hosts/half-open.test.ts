import { once } from "node:events";
import { Network } from "@rhone/bench";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readMetric } from "../cluster/metrics.js";
import { ResumingStream } from "../cluster/resuming-stream.js";
import { ListeningCluster } from "./listening-cluster.js";
import { skipWithoutHosts, whyNoHosts } from "./skip-without-hosts.js";

/** Four tokens a second: their bytes never fill what the system takes without an acknowledgement. */
const SLOWLY = ["--simulate", "stage-ms=250"];
/** In place of a minute. */
const UNREAD_MS = 3000;
const LONG = { prompt: "The sea", max_tokens: 1000, ignore_eos: true, temperature: 0 };
const BESIDE = { ...LONG, max_tokens: 60 };
const KINDS = [true, true, true, false, false];
/** Keep-alive probes begin after 15 s; an unacknowledged byte is sent again 6.4 s after it was at the latest. */
const GONE = { timeout: 40_000, interval: 100 };
const BEGUN = { timeout: 40_000, interval: 100 };
const TIMEOUT = { timeout: 180_000 };

skipWithoutHosts();
let network: Network<"a" | "client">;
let listening: ListeningCluster;
beforeAll(async () => {
  if (whyNoHosts !== null) return;
  network = Network.open(["a", "client"]);
  const env = { RHONE_SEND_TIMEOUT_MS: String(UNREAD_MS), RHONE_PING_INTERVAL_MS: "1000" };
  listening = await ListeningCluster.start(network.hosts.a, SLOWLY, env);
}, TIMEOUT.timeout);
afterAll(() => network?.close());

/** Asks for as many answers as there are kinds, streams and whole ones, and reads them. */
const asker = (url: string): string => `
  for (const stream of ${JSON.stringify(KINDS)}) {
    const body = JSON.stringify({ ...${JSON.stringify(LONG)}, stream });
    fetch("${url}/v1/completions", { method: "POST", headers: { "content-type": "application/json" }, body })
      .then(async (answer) => { for await (const _ of answer.body); });
  }`;

/** What runs in the gateway and in the coordinator. */
async function running(): Promise<readonly number[]> {
  const gateway = new URL(listening.cluster.url).host;
  const { sequences } = await listening.cluster.status();
  return [await readMetric(gateway, "rhone_requests_running"), sequences.running + sequences.waiting];
}

test("the answers to a client whose machine is gone end, streams and whole ones, and no others", TIMEOUT, async () => {
  const { client } = network.hosts;
  const asking = client.spawn(process.execPath, ["-e", asker(listening.cluster.url)], { stdio: "ignore" });
  await once(asking, "spawn");
  await expect.poll(running, BEGUN).toEqual([KINDS.length, KINDS.length]);
  const beside = new ResumingStream(listening.cluster, BESIDE, 120_000);
  await expect.poll(() => beside.ids.length, BEGUN).toBeGreaterThan(4);
  client.unplug();
  const goneAt = performance.now();
  await expect.poll(async () => Math.max(...(await running())), GONE).toBeLessThanOrEqual(1);
  process.stdout.write(`half-open clients were gone after ${Math.round(performance.now() - goneAt)} ms\n`);
  expect(await beside.done).toHaveLength(BESIDE.max_tokens);
  expect(beside.breaks).toBe(0);
  expect(await running()).toEqual([0, 0]);
});
