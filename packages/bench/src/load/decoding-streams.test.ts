import { Agent } from "node:http";
import { afterEach, expect, test } from "vitest";
import { FakeGateway, type FakeGatewayOptions } from "../testing/fake-gateway.js";
import { DecodingStreams } from "./decoding-streams.js";

const agent = new Agent({ keepAlive: true });
const { signal } = new AbortController();
let gateway: FakeGateway;
let streams: DecodingStreams;
afterEach(async () => {
  streams.leave();
  await gateway.close();
});

async function start(maxTokens: number, options: FakeGatewayOptions = {}): Promise<void> {
  gateway = await FakeGateway.open(options);
  const prompts = [[1], [2, 3]];
  streams = new DecodingStreams({ agent, url: gateway.url, model: "m", signal, prompts, maxTokens, cache: false });
}

test("milestones wait for the slowest stream, in any order", async () => {
  await start(100_000);
  const reached: number[] = [];
  const later = streams.allReach(20).then(() => reached.push(20));
  await streams.allReach(5).then(() => reached.push(5));
  await later;
  expect(reached).toEqual([5, 20]);
  for (const arrivals of streams.arrivals) expect(arrivals.length).toBeGreaterThanOrEqual(20);
  await streams.allReach(1); // a milestone of the past
});

test("work goes on beside them", async () => {
  await start(100_000);
  expect(await streams.during(Promise.resolve("done"))).toBe("done");
});

test("a stream that ends on its own makes the measurement void", async () => {
  await start(3);
  const never = new Promise<never>(() => {});
  await expect(streams.during(never)).rejects.toMatchObject({
    code: "MEASUREMENT_VOID",
    message: expect.stringMatching(/generated its 3 tokens before the measurement was over/),
  });
});

test("a stream's failure reaches the work beside it", async () => {
  await start(100, { fault: ({ prompt }) => (prompt.length === 2 ? "error-chunk" : null) });
  await expect(streams.allReach(50)).rejects.toMatchObject({ code: "WORKER_LOST" });
});
