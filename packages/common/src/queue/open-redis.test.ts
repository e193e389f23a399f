import { once } from "node:events";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { FakeRedis } from "../testing/fake-redis.js";
import { type OpenRedisOptions, openRedis, redisUnavailable } from "./open-redis.js";

let server: FakeRedis;
beforeEach(async () => {
  server = await FakeRedis.start();
});
afterEach(() => server.stop());

async function connect(options: Partial<OpenRedisOptions> = {}) {
  const url = options.url ?? `redis://${server.address}`;
  const redis = await openRedis({ name: "gateway-1", waits: false, onError: () => {}, ...options, url });
  onTestFinished(() => redis.disconnect());
  return redis;
}

describe("openRedis", () => {
  it("resolves when the server has answered, under the given name", async () => {
    const redis = await connect();
    expect(redis.status).toBe("ready");
    expect(server.commands).toContainEqual(
      ["client", "setname", "gateway-1"].map((word) => expect.stringMatching(new RegExp(word, "i"))),
    );
    expect(server.commands.at(-1)).toEqual(["ping"]);
  });

  it("connects again when the connection is lost, and reports the loss of a command no caller waits for", async () => {
    const redis = await connect();
    const ready = once(redis, "ready");
    server.drop();
    await ready;
    expect(await redis.ping()).toBe("PONG");
  });

  it.each([
    [true, null],
    [false, 3],
  ])("tries a command without end for those who wait: %s", async (waits, tries) => {
    expect((await connect({ waits })).options.maxRetriesPerRequest).toBe(tries);
  });

  it.each([
    [true, undefined],
    [false, 20_000],
  ])("waits for an answer without end for those who wait: %s", async (waits, deadline) => {
    expect((await connect({ waits })).options.commandTimeout).toBe(deadline);
  });

  it("waits longer between tries, 2 s at most", async () => {
    const { retryStrategy } = (await connect()).options;
    expect([1, 2, 3, 6, 7, 100].map((attempt) => retryStrategy?.(attempt))).toEqual([100, 200, 400, 2000, 2000, 2000]);
  });

  it.each([
    ["NOAUTH Authentication required.", "NOAUTH Authentication required."],
    ["WRONGPASS invalid password", "WRONGPASS invalid password"],
  ])("says what the server answered, and not the password: %s", async (failure, reason) => {
    server.failure = failure;
    await expect(connect({ url: `redis://:secret@${server.address}` })).rejects.toMatchObject({
      code: "REDIS_UNAVAILABLE",
      message: `Cannot reach Redis at redis://***@${server.address}: ${reason}`,
    });
  });

  it("says why there is no connection", async () => {
    const { address } = server;
    await server.stop();
    await expect(connect({ url: `redis://${address}` })).rejects.toMatchObject({
      code: "REDIS_UNAVAILABLE",
      message: `Cannot reach Redis at redis://${address}: connect ECONNREFUSED ${address}`,
    });
  });

  it("gives up on a server that accepts and says nothing", async () => {
    const silent = createServer(() => {});
    onTestFinished(() => void silent.close());
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as { port: number };
    const deadline = new AbortController();
    vi.spyOn(AbortSignal, "timeout").mockReturnValue(deadline.signal);
    onTestFinished(() => void vi.restoreAllMocks());
    const opening = connect({ url: `redis://127.0.0.1:${port}` });
    deadline.abort();
    await expect(opening).rejects.toMatchObject({
      code: "REDIS_UNAVAILABLE",
      message: `Cannot reach Redis at redis://127.0.0.1:${port}: no answer within 10 s`,
    });
  });
});

it("turns the failure of a command into REDIS_UNAVAILABLE", async () => {
  const redis = await connect();
  server.failure = "OOM command not allowed";
  await expect(redis.ping().catch(redisUnavailable)).rejects.toMatchObject({
    code: "REDIS_UNAVAILABLE",
    message: "Redis can't be reached; try again shortly.",
    cause: { message: "OOM command not allowed" },
  });
});
