import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";

const GET = "GET /v1/models HTTP/1.1\r\nhost: a\r\n\r\n";
const MOST = 4;

const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

/** A gateway and a connection to it; `requests` counts those that Fastify saw. */
async function connected(gateway = fakeGateway()) {
  const { app } = gateway;
  let requests = 0;
  app.addHook("onRequest", async () => {
    requests++;
  });
  await app.listen({ port: 0, host: "127.0.0.1" });
  const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(async () => {
    socket.destroy();
    await app.close();
  });
  await once(socket, "connect");
  return { ...gateway, socket, requests: () => requests };
}

const statuses = (answers: string): string[] =>
  [...answers.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status ?? "");

/** A cluster that generates until the client leaves. */
function endless(gateway = fakeGateway()) {
  const left = { count: 0 };
  const begun = { count: 0 };
  gateway.client.generate = async function* (_, signal) {
    begun.count++;
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    left.count++;
    signal.throwIfAborted();
    yield* [];
  };
  return { gateway, begun, left };
}

describe("requests that do not wait for the answers before", () => {
  it("are answered in their order, as many as may wait", async () => {
    const { socket, requests } = await connected();
    socket.write(GET.repeat(MOST - 1) + GET.replace("host: a", "host: a\r\nconnection: close"));
    expect(statuses(await text(socket))).toEqual(Array(MOST).fill("200"));
    expect(requests()).toBe(MOST);
  });

  it("close the connection with one 429 when one more comes; those behind it are not looked at", async () => {
    const { app, socket, requests } = await connected();
    let parsed = 0;
    app.server.on("request", () => parsed++);
    socket.write(GET.repeat(3000));
    const answer = await text(socket);
    expect(statuses(answer)).toEqual(["429"]);
    expect(answer).toContain("connection: close");
    expect(JSON.parse(answer.split("\r\n\r\n")[1] ?? "").error).toMatchObject({
      code: "rate_limit_exceeded",
      message: expect.stringContaining("4 requests of this connection"),
    });
    expect([parsed, requests()]).toEqual([MOST + 1, MOST]);
  });

  it("may go on for ever when each waits for some answers", async () => {
    const { socket } = await connected();
    let answers = 0;
    socket.on("data", (bytes: Buffer) => {
      answers += statuses(bytes.toString()).length;
    });
    for (let round = 1; round <= 5; round++) {
      socket.write(GET.repeat(MOST));
      await expect.poll(() => answers).toBe(round * MOST);
    }
  });

  it("end with their client, also those whose turn to be answered has not come", async () => {
    const { gateway, begun, left } = endless();
    const { socket } = await connected(gateway);
    socket.write(post("/v1/completions", '{"prompt":"a"}').repeat(MOST));
    await expect.poll(() => begun.count).toBe(MOST); // one whose client leaves sooner need not begin
    socket.destroy();
    await expect.poll(() => left.count).toBe(MOST);
  });

  it("do not write into an answer of which a part was sent", async () => {
    const gateway = fakeGateway();
    gateway.client.generate = async function* (_, signal) {
      yield { requestId: "", ordinal: 0, tokens: [72], text: " He" };
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    } as typeof gateway.client.generate;
    const { socket } = await connected(gateway);
    socket.write(post("/v1/completions", '{"prompt":"a","stream":true}'));
    await once(socket, "data");
    socket.write(GET.repeat(MOST));
    expect(await text(socket)).not.toContain("HTTP/1.1");
  });
});
