import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Readable } from "node:stream";
import { expect, it, onTestFinished } from "vitest";
import { boundUnread } from "./unread.js";

const TIMEOUT_MS = 200;
/** More than the system's buffers take. */
const LONG = "x".repeat(20_000_000);

/** A connection that has sent one GET of each path; responses by path, answered by `answer`. */
async function asking(paths: readonly string[], answer: (path: string, response: ServerResponse) => void) {
  const responses: ServerResponse[] = [];
  const server = createServer((request, response) => {
    boundUnread(response, TIMEOUT_MS);
    responses.push(response);
    answer(request.url ?? "", response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.on("error", () => {});
  onTestFinished(() => {
    socket.destroy();
    server.close();
  });
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
  await once(server, "request");
  return { socket, first: responses[0] as ServerResponse };
}

it.each<[string, (response: ServerResponse) => void]>([
  ["written whole", (response) => response.end(LONG)],
  ["piped from a stream", (response) => Readable.from([LONG, LONG]).pipe(response)],
])("hangs up on a client that reads nothing of an answer %s", async (_, send) => {
  const { socket, first } = await asking(["/"], (_path, response) => send(response));
  socket.pause();
  await once(first, "close");
  expect(first.writableFinished).toBe(false);
});

it("leaves a client alone that reads, and the answer behind, which takes longer", async () => {
  const { socket } = await asking(["/long", "/late"], (path, response) => {
    if (path === "/long") response.end(LONG);
    else setTimeout(() => response.end("late"), 3 * TIMEOUT_MS);
  });
  let read = 0;
  for await (const bytes of socket) {
    read += (bytes as Buffer).length;
    if ((bytes as Buffer).toString().endsWith("late")) break;
  }
  expect(read).toBeGreaterThan(LONG.length);
});
