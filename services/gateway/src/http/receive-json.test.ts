import { request as send } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { type FastifyInstance, fastify } from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { spin } from "../testing/spin.js";
import { turnsDuring } from "../testing/turns-during.js";
import { toRequestError } from "./error-response.js";
import { receiveJson } from "./receive-json.js";

const ROOM = 300_000;
const LARGE = 200_000;

let app: FastifyInstance;
let url: string;
let digests: (string | undefined)[];
/** Ends the requests to /held. */
let release: () => void;

beforeEach(async () => {
  digests = [];
  app = fastify({ bodyLimit: 1e6 });
  app.setErrorHandler((error, request, reply) => {
    const { code, message } = toRequestError(error, request);
    return reply.code(400).send({ code, message });
  });
  receiveJson(app, ROOM);
  app.post("/", async ({ body, received }) => {
    digests.push(received?.digest());
    return { length: JSON.stringify(body).length };
  });
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  app.post<{ Body: { seed: unknown } }>("/seed", async ({ body: { seed } }) => ({ seed: String(seed) }));
  app.post("/held", async () => held);
  await app.listen({ port: 0, host: "127.0.0.1" });
  url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
});
afterEach(() => app.close());

async function post(path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) {
  const all = { "content-type": "application/json", ...headers };
  return (await fetch(url + path, { method: "POST", headers: all, body })).json() as Promise<Record<string, unknown>>;
}

const textOf = (bytes: number): string => JSON.stringify("x".repeat(bytes - 2));

describe("a JSON body", () => {
  it("arrives whole", async () => expect(await post("/", textOf(LARGE))).toEqual({ length: LARGE }));

  it.each(["", "x".repeat(LARGE)])("keeps all digits of a seed", async (prompt) => {
    const text = JSON.stringify({ prompt, seed: 5 }).replace("5}", "9007199254740993}");
    expect(await post("/seed", text)).toEqual({ seed: "9007199254740993" });
  });

  it.each([
    ["a byte of Latin-1", Buffer.from('"Fran\xe9s"', "latin1")],
    ["a character that its end cuts", Buffer.from("22f09f9922", "hex")],
    ["half a character at its end", Buffer.from("22f09f99", "hex")],
    ["UTF-16", Buffer.from("\ufeff{}", "utf16le")],
    ["a surrogate", Buffer.from("22eda08022", "hex")],
    ["a bad byte behind 200,000", Buffer.concat([Buffer.from(textOf(LARGE)), Buffer.of(0xff)])],
  ])("with %s is refused", async (_, bytes) => {
    expect(await post("/", new Uint8Array(bytes))).toMatchObject({
      code: "INVALID_JSON",
      message: expect.stringMatching(/^The body is not UTF-8/),
    });
  });

  it("of a costly shape is refused", async () => {
    expect(await post("/", "[".repeat(5000))).toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringMatching(/1000 levels/),
    });
  });

  it("that is too long and of a costly shape is refused by its length", async () => {
    expect(await post("/", "[".repeat(2e6))).toMatchObject({ code: "BODY_TOO_LARGE" });
    expect(await post("/", "[1]")).toEqual({ length: 3 });
  });

  it.each([
    ["that is none", "nonsense"],
    ["that is empty", ""],
  ])("%s is INVALID_JSON", async (_, body) => expect(await post("/", body)).toMatchObject({ code: "INVALID_JSON" }));

  it.each(['{"a":{"__proto__":{}}}', '{"constructor":{"prototype":1}}', `{"__proto__":"${"x".repeat(LARGE)}"}`])(
    "with a key that can attack programs is said to have it",
    async (body) => {
      const message = expect.stringMatching(/^The body has the key "__proto__", or "constructor" with "prototype"/);
      expect(await post("/", body)).toEqual({ code: "INVALID_JSON", message });
    },
  );

  it.each(["text/plain", "application/jsonp"])("is not taken as %s, whose bytes nobody counts", async (type) => {
    expect(await post("/", "{}", { "content-type": type })).toMatchObject({ code: "UNSUPPORTED_MEDIA_TYPE" });
  });

  it("has a digest of its bytes if its request has an Idempotency-Key", async () => {
    await post("/", '{"a":1}');
    for (const body of ['{"a":1}', '{"a":1}', '{"a":2}']) await post("/", body, { "idempotency-key": "k" });
    expect(digests[0]).toBe("");
    expect(digests[1]).toMatch(/^[0-9a-f]{64}$/);
    expect([digests[2] === digests[1], digests[3] === digests[1]]).toEqual([true, false]);
  });
});

describe("a JSON body in gzip", () => {
  const gzip = { "content-encoding": "gzip" };
  const zipped = (text: string) => new Uint8Array(gzipSync(text));

  it.each(["gzip", "GZIP", "x-gzip"])("is inflated: %s", async (encoding) => {
    expect(await post("/", zipped(textOf(LARGE)), { "content-encoding": encoding })).toEqual({ length: LARGE });
  });

  it("that is empty, costly or no JSON is refused as it would be without", async () => {
    expect(await post("/", zipped(""), gzip)).toMatchObject({ code: "INVALID_JSON" });
    expect(await post("/", zipped("nonsense"), gzip)).toMatchObject({ code: "INVALID_JSON" });
    expect(await post("/", zipped("[".repeat(5000)), gzip)).toMatchObject({ code: "INVALID_REQUEST" });
  });

  it("takes the room of what it inflates to", async () => {
    expect(await post("/", zipped(textOf(50e6)), gzip)).toMatchObject({ code: "GATEWAY_BUSY" });
    expect(await post("/", zipped(textOf(LARGE)), gzip)).toEqual({ length: LARGE });
  });

  it("has the limit of what it inflates to, and is inflated no further", async () => {
    const reading = fastify({ bodyLimit: LARGE });
    receiveJson(reading, 1e9);
    let inflated = 0;
    reading.addHook("onResponse", async ({ received }) => {
      inflated = received?.bytes ?? 0;
    });
    reading.post("/", async () => "");
    const headers = { "content-type": "application/json", ...gzip };
    const send = (text: string) => reading.inject({ method: "POST", url: "/", headers, payload: gzipSync(text) });
    expect((await send(textOf(LARGE))).statusCode).toBe(200);
    expect((await send(textOf(50e6))).statusCode).toBe(413);
    expect(inflated).toBeLessThan(1e6);
  });

  it("that is broken is said to be", async () => {
    const whole = zipped(textOf(1000));
    for (const body of [whole.slice(0, -9), new Uint8Array(Buffer.from("{}")), Uint8Array.from(whole).fill(7, 12)]) {
      expect(await post("/", body, gzip)).toMatchObject({
        code: "INVALID_REQUEST",
        message: expect.stringMatching(/^The body is no gzip, which its content-encoding says that it is: /),
      });
    }
  });

  it.each(["br", "deflate", "gzip, gzip", "zstd"])("is not taken in another encoding: %s", async (encoding) => {
    expect(await post("/", "{}", { "content-encoding": encoding })).toEqual({
      code: "UNSUPPORTED_MEDIA_TYPE",
      message: `The body has the content-encoding ${encoding}; send JSON without one or with gzip, and files without one.`,
    });
  });
});

describe("room for large bodies", () => {
  it("is refused to more than fit, and given back when a request ends", async () => {
    const first = post("/held", textOf(LARGE));
    await expect
      .poll(() => post("/", textOf(LARGE)))
      .toMatchObject({ code: "GATEWAY_BUSY", message: expect.stringMatching(/300000 at most/) });
    expect(await post("/", textOf(50_000))).toEqual({ length: 50_000 });
    release();
    await first.catch(() => {});
    expect(await post("/", textOf(LARGE))).toEqual({ length: LARGE });
  });

  it("is given back when the client leaves in the middle of a body", async () => {
    const headers = { "content-type": "application/json", "content-length": "900000" };
    const leaving = send(`${url}/`, { method: "POST", headers }).on("error", () => {});
    leaving.write(textOf(LARGE));
    await expect.poll(() => post("/", textOf(LARGE))).toMatchObject({ code: "GATEWAY_BUSY" });
    leaving.destroy();
    await expect.poll(() => post("/", textOf(LARGE))).toEqual({ length: LARGE });
  });
});

it("lets the event loop turn while it reads many large bodies that arrive at once", async () => {
  const reading = fastify({ bodyLimit: 2e6 });
  receiveJson(reading, 1e9);
  reading.post("/", async () => performance.now());
  await reading.ready();
  const payload = JSON.stringify({ metadata: { key: "x".repeat(1e6) } });
  const headers = { "content-type": "application/json" };
  const requests = Array.from({ length: 60 }, () => reading.inject({ method: "POST", url: "/", headers, payload }));
  const { result, turns } = await turnsDuring(() => Promise.all(requests));
  expect(result.every(({ statusCode }) => statusCode === 200)).toBe(true);
  expect(turns).toBeGreaterThanOrEqual(6);
});

it("begins the requests of many small bodies that are read at once in several turns", async () => {
  const reading = fastify();
  receiveJson(reading, 1e9);
  reading.post("/", async () => {
    spin(2);
  });
  await reading.ready();
  const headers = { "content-type": "application/json" };
  const send = () => reading.inject({ method: "POST", url: "/", headers, payload: "{}" });
  const { turns } = await turnsDuring(() => Promise.all(Array.from({ length: 60 }, send)));
  expect(turns).toBeGreaterThanOrEqual(4);
});
