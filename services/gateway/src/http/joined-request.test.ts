import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { Arrivals } from "./arrivals.js";
import { JoinedRequest } from "./joined-request.js";

/** A server for one request, and the client's end of its connection, which has sent the headers. */
async function receiving(headers = "transfer-encoding: chunked") {
  const server = createServer({ IncomingMessage: JoinedRequest });
  const arrivals = new Arrivals();
  server.on("connection", (socket) => arrivals.follow(socket));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1").on("error", () => {});
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  client.write(`POST / HTTP/1.1\r\nhost: x\r\n${headers}\r\n\r\n`);
  const [request] = (await once(server, "request")) as [IncomingMessage];
  return { client, request };
}

const chunked = (chunks: readonly string[]): string =>
  chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join("");

const END = "0\r\n\r\n";

async function piecesOf(request: IncomingMessage): Promise<readonly string[]> {
  const pieces: string[] = [];
  for await (const piece of request) pieces.push(String(piece));
  return pieces;
}

it("is read in large pieces, though its chunks have one byte", async () => {
  const { client, request } = await receiving();
  const text = "0123456789".repeat(20_000);
  client.write(chunked([...text]) + END);
  const pieces = await piecesOf(request);
  expect(pieces.join("")).toBe(text);
  expect(pieces.length).toBeLessThanOrEqual(4);
});

it("is what was sent, whatever its chunks", async () => {
  const chunk = fc.integer({ min: 1, max: 3000 }).map((length) => "abcdefg".repeat(500).slice(0, length));
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 200 }), async (chunks) => {
      const { client, request } = await receiving();
      client.write(chunked(chunks) + END);
      expect((await piecesOf(request)).join("")).toBe(chunks.join(""));
      client.destroy();
    }),
    { numRuns: 40 },
  );
});

it("of a few bytes is read without waiting for more", async () => {
  const { client, request } = await receiving("content-length: 2");
  client.write("{}");
  expect(await piecesOf(request)).toEqual(["{}"]);
});

it("breaks off when its client leaves", async () => {
  const { client, request } = await receiving();
  client.write(chunked(["a"]), () => client.destroy());
  await expect(piecesOf(request)).rejects.toMatchObject({ code: "ECONNRESET" });
});

it("that nobody reads is not received", async () => {
  const { client, request } = await receiving();
  client.write(chunked(["a"]).repeat(2_000_000));
  await expect.poll(() => request.socket.isPaused(), { timeout: 10_000 }).toBe(true);
  await untilStill(client);
  expect(request.readableLength).toBeLessThan(200_000);
});

/** Resolves when no more of what was written leaves. */
async function untilStill(client: Socket): Promise<void> {
  let before = -1;
  const left = (): boolean => {
    const isStill = client.bytesWritten - client.writableLength === before;
    before = client.bytesWritten - client.writableLength;
    return isStill;
  };
  await expect.poll(left, { interval: 200 }).toBe(true);
}
