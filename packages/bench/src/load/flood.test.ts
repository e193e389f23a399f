import { Agent } from "node:http";
import { afterEach, expect, test } from "vitest";
import { FakeGateway, type FakeGatewayOptions } from "../testing/fake-gateway.js";
import { Flood } from "./flood.js";

const agent = new Agent({ keepAlive: true });
const prompts = [
  [1, 2],
  [3, 4],
];
let gateway: FakeGateway;
let flood: Flood;
afterEach(async () => {
  flood.stop();
  await flood.done.catch(() => {});
  await gateway.close();
});

async function start(options: FakeGatewayOptions = {}, signal = new AbortController().signal): Promise<void> {
  gateway = await FakeGateway.open(options);
  flood = new Flood({ agent, url: gateway.url, model: "m", signal, prompts, maxTokens: 3 });
}

test("streams restart as they end, and finished answers are counted", async () => {
  await start();
  await expect.poll(() => flood.count.requests).toBeGreaterThanOrEqual(6);
  flood.stop();
  await flood.done;
  const { tokens, requests, chunks } = flood.count;
  expect(tokens).toBe(3 * requests);
  expect(chunks).toBeGreaterThanOrEqual(4 * requests); // three tokens and the usage
  expect(new Set(gateway.requests.map(({ prompt }) => String(prompt)))).toEqual(new Set(["1,2", "3,4"]));
});

test.each(["error-chunk", "refusal"] as const)("an answer with %s ends it", async (fault) => {
  await start({ fault: ({ prompt }) => (prompt[0] === 3 ? fault : null) });
  await expect(flood.done).rejects.toMatchObject({ code: "MEASUREMENT_VOID" });
});

test("a broken connection ends it with its error", async () => {
  await start({ fault: () => "hang-up" });
  await expect(flood.done).rejects.toThrow(/aborted|hang up|ECONNRESET/);
});

test("an interrupt ends it", async () => {
  const interrupt = new AbortController();
  await start({}, interrupt.signal);
  interrupt.abort();
  await expect(flood.done).rejects.toMatchObject({ name: "AbortError" });
});
