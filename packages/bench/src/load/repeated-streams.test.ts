import { Agent } from "node:http";
import { afterEach, expect, test } from "vitest";
import { FakeGateway, type FakeGatewayOptions } from "../testing/fake-gateway.js";
import { RandomPrompts } from "./prompts.js";
import { RepeatedStreams } from "./repeated-streams.js";

const agent = new Agent({ keepAlive: true });
const { signal } = new AbortController();
let gateway: FakeGateway;
afterEach(() => gateway.close());

async function start(options: FakeGatewayOptions = {}): Promise<RepeatedStreams> {
  gateway = await FakeGateway.open(options);
  return new RepeatedStreams({
    connection: { agent, url: gateway.url, model: "m", signal },
    prompts: new RandomPrompts({ vocabSize: 512, seed: 1 }),
    streams: 2,
    promptTokens: 4,
    maxTokens: 3,
    pauseMs: 0,
  });
}

test("every client asks again after each answer, until it is stopped, and every answer is recorded", async () => {
  const streams = await start();
  await expect.poll(() => gateway.requests.length).toBeGreaterThan(6);
  const records = await streams.stop();
  expect(records).toHaveLength(gateway.requests.length);
  for (const { arrivals } of records) expect(arrivals).toHaveLength(3);
  const prompts = gateway.requests.map(({ prompt }) => String(prompt));
  expect(new Set(prompts).size).toBe(prompts.length);
});

test("stopping tells of a failure", async () => {
  const streams = await start({ fault: () => "refusal" });
  await expect(streams.stop()).rejects.toMatchObject({ code: "QUEUE_FULL" });
});
