import { EventEmitter, once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, it } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";

const { app } = fakeGateway();
const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

/** What a gateway says to these bytes until the socket ends. */
async function say(bytes: string, gateway = fakeGateway().app): Promise<string> {
  open.push(gateway);
  await gateway.listen({ port: 0, host: "127.0.0.1" });
  const socket = connect((gateway.server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  // Without an end: a client that has left gets no answer.
  socket.write(bytes);
  return text(socket);
}

it.each([
  ["without Host", "GET /health HTTP/1.1\r\nconnection: close\r\n\r\n", 400, "Host"],
  ["that is none", "hello\r\n\r\n", 400, "not HTTP"],
])("refuses a request %s in the envelope", async (_, bytes, status, message) => {
  const answer = await say(bytes);
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  const body = JSON.parse(answer.split("\r\n\r\n")[1] ?? "");
  expect(body.error).toMatchObject({ code: "invalid_value", message: expect.stringContaining(message) });
});

it("answers a request that did not arrive in time with a status for which clients send it again", async () => {
  const { app: gateway } = fakeGateway();
  const late = Object.assign(new Error("Request timeout"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });
  gateway.server.once("connection", (socket) => gateway.server.emit("clientError", late, socket));
  const answer = await say("GET /health HTTP/1.1\r\n", gateway);
  expect(answer).toMatch(/^HTTP\/1.1 408 /);
  const { error } = JSON.parse(answer.split("\r\n\r\n")[1] ?? "");
  expect(error).toMatchObject({ code: "request_timeout", message: expect.stringMatching(/headers within \d+ s/) });
});

it("passes over expectations that it does not know", async () => {
  expect(await say("GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: wonders\r\n\r\n")).toMatch(
    /^HTTP\/1.1 200 /,
  );
});

it.each(["POST /v1/completions", "DELETE /v1/files/file-0"])(
  "tells a client that asks first to go on: %s",
  async (line) => {
    const body = '{"prompt":"a"}';
    const headers = `host: a\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
    const answer = await say(`${line} HTTP/1.1\r\nconnection: close\r\n${headers}\r\n\r\n${body}`);
    expect(answer).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 (200|404) /);
  },
);

it("says what it takes at any path", async () => {
  const answer = await say("OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1.1 204 /);
  expect(answer).toContain("allow: GET, POST, DELETE, HEAD, OPTIONS\r\n");
});

it("refuses to be a proxy", async () => {
  const answer = await say("CONNECT example.com:443 HTTP/1.1\r\nhost: a\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1.1 405 /);
  expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "").error.message).toContain("CONNECT");
});

it("repeats little of a path that it does not know", async () => {
  const answer = await app.inject(`/v1/${"a".repeat(15_000)}`);
  expect(answer.statusCode).toBe(404);
  expect(answer.body.length).toBeLessThan(1000);
});

it("does not write into an answer that is on its way", async () => {
  const { app, client: cluster } = fakeGateway();
  const first = { requestId: "", ordinal: 0, tokens: [72], text: " He" };
  const client = new EventEmitter();
  const left = once(client, "left");
  cluster.generate = async function* (_, signal) {
    signal.addEventListener("abort", () => client.emit("left"), { once: true });
    yield first;
    await left;
  };
  open.push(app);
  await app.listen({ port: 0, host: "127.0.0.1" });
  const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
  const body = '{"prompt":"a","stream":true}';
  const head = `POST /v1/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`;
  socket.write(`${head}\r\n\r\n${body}`);
  let answer = "";
  socket.on("data", (part) => {
    if (answer === "") socket.write("garbage\r\n\r\n");
    answer += part;
  });
  await once(socket, "close");
  await left;
  expect(answer).toMatch(/^HTTP\/1.1 200 /);
  expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1);
});

it("refuses ids that are too long for its router", async () => {
  const answer = await app.inject(`/v1/files/${"a".repeat(3000)}`);
  expect(answer.statusCode).toBe(404);
  expect(answer.json().error.code).toBe("not_found");
});

it("refuses bodies that are nested too deep to be written", async () => {
  const deep = "[".repeat(1500) + "]".repeat(1500);
  const payload = `{"endpoint":"/v1/completions","requests":[{"body":{"a":${deep}}}]}`;
  const headers = { "content-type": "application/json", "idempotency-key": "k" };
  const answer = await app.inject({ method: "POST", url: "/v1/batch/jobs", payload, headers });
  expect(answer.json().error).toMatchObject({ code: expect.any(String), message: expect.stringContaining("deep") });
  expect(answer.statusCode).toBe(400);
});
