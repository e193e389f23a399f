import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { fastify } from "fastify";
import { expect, it, onTestFinished } from "vitest";
import { fakeGateway } from "../testing/fake-gateway.js";
import { boundUnread, closeUnread, endUnsent } from "./unread.js";

/** More than the system's buffers take. */
const LONG = "x".repeat(20_000_000);

const get = (path: string, more = ""): string => `GET ${path} HTTP/1.1\r\nhost: x\r\n${more}\r\n`;

/** A server whose answers may stay unread for 0.2 s. */
async function serving(answer: (path: string, response: ServerResponse) => void): Promise<Server> {
  const server = createServer((request, response) => {
    boundUnread(response, 200);
    answer(request.url ?? "", response);
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

function asking(server: Server, requests: string) {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  socket.write(requests);
  return socket;
}

/** What a client gets that begins to read when the connection has ended, by the server or by its system. */
async function readTooLate(server: Server): Promise<Buffer> {
  const socket = asking(server, get("/long")).on("error", () => {});
  const [connection] = await once(server, "connection");
  await new Promise((resolve) => connection.once("close", resolve));
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  await new Promise((resolve) => socket.once("close", resolve));
  return Buffer.concat(chunks);
}

it.each<[string, (response: ServerResponse) => void]>([
  ["written whole", (response) => response.end(LONG)],
  ["piped from a stream", (response) => Readable.from([LONG, LONG]).pipe(response)],
])("hangs up on a client that reads nothing of an answer %s", async (_, send) => {
  const read = await readTooLate(await serving((_path, response) => send(response)));
  expect(read.length).toBeLessThan(LONG.length);
});

it("leaves a client alone that reads, and gives the answer behind any time", async () => {
  const server = await serving((path, response) => {
    if (path === "/long") response.once("finish", () => server.emit("sent")).end(LONG);
    else server.once("sent", () => response.end(`${response.req.socket.timeout} ms for the next`));
  });
  const read = await buffer(asking(server, get("/long") + get("/next", "connection: close\r\n")));
  expect(read.length).toBeGreaterThan(LONG.length);
  expect(read.toString("utf8", read.length - 17)).toBe("0 ms for the next");
});

it("holds for the gateway's answers", async () => {
  const { app } = fakeGateway();
  onTestFinished(() => app.close());
  app.get("/long", () => LONG);
  await app.listen({ port: 0, host: "127.0.0.1" });
  expect((await readTooLate(app.server)).length).toBeLessThan(LONG.length);
});

const END = "0\r\n\r\n";

it.each<[string, string, boolean]>([
  ["goes on in chunks behind its answer", "1\r\nx\r\n", true],
  ["has arrived", END, false],
])("closes the connection of a body that %s: %j, %s", async (_, body, closes) => {
  const server = createServer((request, response) => {
    closeUnread(request, response);
    setImmediate(() => response.end("answer"));
  });
  onTestFinished(() => void server.close());
  await once(server.listen(0, "127.0.0.1"), "listening");
  const socket = asking(server, get("/", "transfer-encoding: chunked\r\n") + body);
  const [answer] = await once(socket, "data");
  expect(String(answer)).toContain("answer");
  if (closes) await once(socket, "close");
  else {
    socket.write(get("/"));
    expect(String((await once(socket, "data"))[0])).toContain("answer");
  }
});

it("reads nothing of a file whose headers are asked for", async () => {
  const app = fastify();
  endUnsent(app);
  let read = 0;
  const content = new Readable({ read: () => void content.push(++read < 1000 ? Buffer.alloc(65_536) : null) });
  app.get("/file", (_request, reply) => reply.header("content-length", 65_536_000).send(content));
  const { statusCode, headers } = await app.inject({ method: "HEAD", url: "/file" });
  expect({ statusCode, length: headers["content-length"] }).toEqual({ statusCode: 200, length: "65536000" });
  if (!content.closed) await once(content, "close");
  expect(content.destroyed).toBe(true);
  expect(read).toBeLessThan(10);
});
