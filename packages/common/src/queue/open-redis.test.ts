import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { FakeRedis } from "../testing/fake-redis.js";
import { TestAuthority } from "../testing/test-authority.js";
import { type OpenRedisOptions, openRedis, redisUnavailable, withinLook } from "./open-redis.js";

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
    [false, 10],
  ])("tries a command without end for those who wait: %s", async (waits, tries) => {
    expect((await connect({ waits })).options.maxRetriesPerRequest).toBe(tries);
  });

  it.each([
    [true, undefined],
    [false, 20_000],
  ])("waits for an answer without end for those who wait: %s", async (waits, deadline) => {
    expect((await connect({ waits })).options.commandTimeout).toBe(deadline);
  });

  it("waits longer between tries, 0.5 s at most", async () => {
    const { retryStrategy } = (await connect()).options;
    expect([1, 2, 3, 4, 5, 100].map((attempt) => retryStrategy?.(attempt))).toEqual([100, 200, 400, 500, 500, 500]);
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

describe("a look", () => {
  it("is what Redis answers, or why it does not", async () => {
    expect(await withinLook(Promise.resolve(7))).toBe(7);
    await expect(withinLook(Promise.reject(new Error("gone")))).rejects.toThrow("gone");
  });

  it("waits for 5 s and no longer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const ended = vi.fn();
    withinLook(new Promise(() => {})).catch(ended);
    await vi.advanceTimersByTimeAsync(4999);
    expect(ended).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(ended.mock.lastCall).toMatchObject([
      { code: "REDIS_UNAVAILABLE", message: "Redis has not answered for 5 s; try again shortly." },
    ]);
  });
});

describe("files of a connection", () => {
  /** The server behind TLS, which asks for a certificate. */
  async function behindTls() {
    const authority = new TestAuthority();
    onTestFinished(() => authority.close());
    const { tlsCa = "", tlsCert = "", tlsKey = "" } = authority.issue({ role: "operator", name: "redis" });
    const [ca, cert, key] = [tlsCa, tlsCert, tlsKey].map((file) => readFileSync(file));
    const port = Number(new URL(`redis://${server.address}`).port);
    const tls = createTlsServer({ ca, cert, key, requestCert: true, rejectUnauthorized: true } as object, (socket) => {
      socket.on("error", () => {});
      socket.pipe(connectTcp(port, "127.0.0.1")).pipe(socket);
    });
    onTestFinished(() => void tls.close());
    await new Promise<void>((resolve) => tls.listen(0, "127.0.0.1", resolve));
    const client = authority.issue({ role: "coordinator", name: "a" });
    const files = { redisCa: tlsCa, redisCert: client.tlsCert, redisKey: client.tlsKey };
    return { url: `rediss://localhost:${(tls.address() as AddressInfo).port}`, files };
  }

  it("reach a server behind TLS that asks for a certificate", async () => {
    const { url, files } = await behindTls();
    expect(await (await connect({ url, files })).ping()).toBe("PONG");
  });

  it("nothing is sent to a server of an unknown authority, or without the certificate that it asks for", async () => {
    const { url, files } = await behindTls();
    await expect(connect({ url })).rejects.toMatchObject({ code: "REDIS_UNAVAILABLE" });
    await expect(connect({ url, files: { redisCa: files.redisCa } })).rejects.toMatchObject({
      code: "REDIS_UNAVAILABLE",
    });
    expect(server.commands).toEqual([]);
  });

  it("a password comes from its file, for the URL's user", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rhone-redis-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const redisPasswordFile = join(folder, "password");
    writeFileSync(redisPasswordFile, "hid:d@en\n");
    await connect({ url: `redis://rhone@${server.address}`, files: { redisPasswordFile } });
    expect(server.commands).toContainEqual(["auth", "rhone", "hid:d@en"]);
  });

  it.each([
    [{ redisCa: "/ca.pem" }, /are for a rediss:\/\/ URL/],
    [{ redisPasswordFile: "/nowhere/password" }, /^\/nowhere\/password can't be read: ENOENT/],
  ])("%o is refused where it can't be used", async (files, problem) => {
    await expect(connect({ files })).rejects.toThrow(problem);
  });

  it.each([
    [{}, /needs RHONE_TLS_CA/],
    [{ tlsCa: "/ca.pem", redisPasswordFile: "/password" }, /RHONE_REDIS_\* are not for rhone:\/\/a:7101/],
  ])("a cluster's Redis takes this process's identity alone, not %o", async (files, problem) => {
    await expect(connect({ url: "rhone://a:7101", files })).rejects.toThrow(problem);
  });

  it("a certificate without its key is refused", async () => {
    const files = { redisCert: "/cert.pem" };
    await expect(connect({ url: "rediss://localhost:1", files })).rejects.toThrow(/go together/);
  });
});
