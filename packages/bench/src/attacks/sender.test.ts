import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Sender } from "./sender.js";

let server: Server;
let sender: Sender;
let received: { readonly request: IncomingMessage; readonly body: string }[];
const giveUp = { current: new AbortController() };

beforeEach(async () => {
  received = [];
  server = createServer(async (request, response) => {
    received.push({ request, body: await text(request) });
    if (request.url === "/silent") return;
    if (request.url === "/refused") return void response.writeHead(400).end('{"error":{"code":"invalid_value"}}');
    response.setHeader("content-location", "/streams/x");
    if (request.url === "/begun") response.flushHeaders();
    else response.end('{"id":"x"}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  giveUp.current = new AbortController();
  sender = new Sender({ url, apiKey: "secret", signal: giveUp.current.signal });
});
afterEach(async () => {
  sender.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

describe("Sender", () => {
  it("sends objects as JSON, with the key", async () => {
    expect(await sender.post("/x", { a: 1 })).toMatchObject({ status: 200, code: null });
    const [{ request, body }] = received as [(typeof received)[number]];
    expect([request.method, request.headers.authorization, body]).toEqual(["POST", "Bearer secret", '{"a":1}']);
  });

  it("sends texts, bytes and streams as they are", async () => {
    for (const body of ["[", Buffer.from("["), Readable.from(["["])]) await sender.send({ path: "/x", body });
    expect(received.map(({ body }) => body)).toEqual(["[", "[", "["]);
  });

  it("reports the code of a refusal", async () => {
    expect(await sender.send({ path: "/refused" })).toMatchObject({ status: 400, code: "invalid_value" });
  });

  it("hands out the answer", async () => {
    expect(await sender.ask({ path: "/x" })).toMatchObject({ answer: { id: "x" }, location: "/streams/x" });
    expect(await sender.ask({ path: "/refused" })).toMatchObject({ location: null });
  });

  it("leaves an answer unread when told so", async () => {
    const unread = { path: "/x", isUnread: true, leaveAfterMs: 20 };
    expect(await sender.ask(unread)).toMatchObject({ answer: undefined });
  });

  it.each<[string, { leaveAfterMs: number }, string]>([
    ["leaves", { leaveAfterMs: 20 }, "ABORT_ERR"],
    ["gives up", { leaveAfterMs: 1e6 }, "gave up"],
  ])("a request whose sender %s has no answer", async (_, options, code) => {
    const sent = sender.send({ path: "/silent", ...options });
    if (code === "gave up") await expect.poll(() => received.length).toBe(1);
    if (code === "gave up") giveUp.current.abort();
    expect(await sent).toMatchObject({ status: 0, code });
  });

  it("leaves when the headers have come, if that is all it wants", async () => {
    const asked = await sender.ask({ path: "/begun", headersOnly: true });
    expect(asked).toMatchObject({ reply: { status: 200 }, location: "/streams/x", answer: undefined });
  });

  it("repeats, each request with its number", async () => {
    const replies = await sender.repeat(5, (i) => ({ path: `/${i}` }), { atOnce: 2 });
    expect(replies).toHaveLength(5);
    expect(received.map(({ request }) => request.url).sort()).toEqual(["/0", "/1", "/2", "/3", "/4"]);
  });
});
