import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { newApiKey, RhoneError } from "@rhone/common";
import { expect, it, onTestFinished, vi } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";

type Gateway = ReturnType<typeof fakeGateway>;

/** Each endpoint and status that was counted, with the number of answers. */
async function counts({ metrics }: Gateway): Promise<Readonly<Record<string, number>>> {
  const { values } = await metrics.answered.get();
  return Object.fromEntries(values.map(({ labels, value }) => [`${labels.endpoint} ${labels.status}`, value]));
}

const away = new RhoneError("REDIS_UNAVAILABLE", "Redis is away.");
const { key, secret } = newApiKey({ name: "team", requestsPerMinute: 9, tokensPerMinute: 999 });
const headers = { authorization: `Bearer ${secret}` };
const ask = { prompt: "ab", max_tokens: 5 };

it.each<[string, (gateway: Gateway) => Promise<unknown>, string]>([
  ["an answer", ({ post }) => post("/v1/completions", ask, headers), "POST /v1/completions 200"],
  ["a stream", ({ post }) => post("/v1/completions", { ...ask, stream: true }, headers), "POST /v1/completions 200"],
  ["a bad field", ({ post }) => post("/v1/completions", { prompt: {} }, headers), "POST /v1/completions 400"],
  ["no key", ({ post }) => post("/v1/completions", ask), "POST /v1/completions 401"],
  ["a path with an id", ({ app }) => app.inject({ url: "/v1/files/file-0", headers }), "GET /v1/files/:id 404"],
  ["an unknown path", ({ app }) => app.inject({ url: "/v1/nothing", headers }), "none 404"],
  ["an unknown method", ({ app }) => app.inject({ method: "PATCH", url: "/v1/models", headers }), "none 405"],
  ["a path that is none", ({ app }) => app.inject({ url: "/v1/%zz", headers }), "none 400"],
  ["a look at the health", ({ app }) => app.inject("/health"), "GET /health 200"],
])("counts %s", async (_, request, counted) => {
  const gateway = fakeGateway(undefined, "ready", { keys: [key] });
  await request(gateway);
  await vi.waitFor(async () => expect(await counts(gateway)).toEqual({ [counted]: 1 }));
});

const withoutRedis = ({ redis }: Gateway) => {
  redis.failure = away;
};
const [completion, response] = [
  { url: "/v1/completions", body: ask },
  { url: "/v1/responses", body: { input: "a", max_output_tokens: 5 } },
];
const inBackground = { ...response, body: { ...response.body, background: true } };

it.each<[string, (gateway: Gateway) => unknown, typeof completion | typeof response, object]>([
  [
    "whose requests can't be counted",
    ({ limits }) => vi.spyOn(limits, "takeRequest").mockRejectedValue(away),
    completion,
    {},
  ],
  [
    "whose tokens can't be reserved",
    ({ limits }) => vi.spyOn(limits, "reserveTokens").mockRejectedValue(away),
    completion,
    {},
  ],
  ["whose Idempotency-Key can't be claimed", withoutRedis, completion, { "idempotency-key": "k" }],
  ["that can't be stored", withoutRedis, response, {}],
  [
    "that nobody could follow",
    ({ openResponses }) => vi.spyOn(openResponses, "add").mockRejectedValue(away),
    inBackground,
    {},
  ],
])("counts the 503 of a request %s", async (_, breakIt, { url, body }, more) => {
  const gateway = fakeGateway(undefined, "ready", { keys: [key] });
  breakIt(gateway);
  const { statusCode } = await gateway.post(url, body, { ...headers, ...more });
  expect(statusCode).toBe(503);
  await vi.waitFor(async () => expect(await counts(gateway)).toEqual({ [`POST ${url} 503`]: 1 }));
});

it.each<[string, string, Readonly<Record<string, number>>]>([
  ["is no HTTP", "hello\r\n\r\n", { "none 400": 1 }],
  ["asks for a tunnel", "CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", { "none 405": 1 }],
  ["asks too much at a time", "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n".repeat(100), { "none 429": 1 }],
])("counts the answer to what %s", async (_, bytes, counted) => {
  const gateway = fakeGateway();
  onTestFinished(() => gateway.app.close());
  await gateway.app.listen({ port: 0, host: "127.0.0.1" });
  const socket = connect((gateway.app.server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(bytes);
  await text(socket);
  await vi.waitFor(async () => expect(await counts(gateway)).toEqual(counted));
});

it("writes no answer for a client that has left", async () => {
  const gateway = fakeGateway();
  onTestFinished(() => gateway.app.close());
  let [begun, ended, written] = [0, 0, 0];
  gateway.client.generate = async function* (_, signal) {
    begun++;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    ended++;
    yield* [];
    throw signal.reason;
  } as typeof gateway.client.generate;
  gateway.app.addHook("onSend", async () => void written++);
  await gateway.app.listen({ port: 0, host: "127.0.0.1" });
  const socket = connect((gateway.app.server.address() as AddressInfo).port, "127.0.0.1");
  const body = JSON.stringify(ask);
  const head = `host: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  socket.write(`POST /v1/completions HTTP/1.1\r\n${head}\r\n\r\n${body}`);
  await vi.waitFor(() => expect(begun).toBe(1));
  socket.destroy();
  await vi.waitFor(() => expect(ended).toBe(1));
  await gateway.app.inject("/health");
  expect(written).toBe(1);
});

it("counts a stream whose client left, once, and no request whose client left before its answer", async () => {
  const gateway = fakeGateway();
  onTestFinished(() => gateway.app.close());
  let begun = 0;
  gateway.client.generate = async function* (_, signal) {
    if (begun++ === 0) yield { requestId: "", ordinal: 0, tokens: [72], text: " He" };
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  } as typeof gateway.client.generate;
  await gateway.app.listen({ port: 0, host: "127.0.0.1" });
  const { port } = gateway.app.server.address() as AddressInfo;
  const leave = async (stream: boolean) => {
    const body = JSON.stringify({ ...ask, stream });
    const socket = connect(port, "127.0.0.1");
    const head = `host: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
    socket.write(`POST /v1/completions HTTP/1.1\r\n${head}\r\n\r\n${body}`);
    if (stream) await once(socket, "data");
    else await vi.waitFor(() => expect(begun).toBe(2));
    socket.destroy();
  };
  await leave(true);
  await vi.waitFor(async () => expect(await counts(gateway)).toEqual({ "POST /v1/completions 200": 1 }));
  await leave(false);
  await gateway.app.inject("/health");
  await vi.waitFor(async () =>
    expect(await counts(gateway)).toEqual({ "POST /v1/completions 200": 1, "GET /health 200": 1 }),
  );
});
