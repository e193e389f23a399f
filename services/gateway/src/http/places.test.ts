import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { connectionsWithin, Places } from "./places.js";

/** A server that answers nothing until it is told to; addresses of 127.0.0.0/8 are this machine's own on Linux. */
async function scene(most: number) {
  const warn = vi.fn();
  const places = new Places(most, { warn });
  const waiting: ServerResponse[] = [];
  let told = (): void => {};
  const server = createServer((request, response) => {
    places.has(1, request.socket);
    waiting.push(response.once("close", () => places.has(0, request.socket)));
    told();
  });
  places.follow(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const open = async (localAddress = "127.0.0.1"): Promise<Socket> => {
    const socket = connect({ host: "127.0.0.1", port, localAddress })
      .on("error", () => {})
      .resume();
    const accepted = once(server, "connection");
    await once(socket, "connect");
    await accepted;
    return socket;
  };
  const ask = async (socket: Socket): Promise<void> => {
    const arrived = new Promise<void>((resolve) => {
      told = resolve;
    });
    socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    await arrived;
  };
  return { open, ask, warn, answer: () => waiting.shift()?.end() };
}

const ended = (socket: Socket) => socket.closed || once(socket, "close");

test("connections without a request end before others, the oldest first", async () => {
  const { open, ask, warn } = await scene(3);
  const busy = await open();
  await ask(busy);
  const idle = [await open(), await open()] as const;
  const next = await open();
  await ended(idle[0]);
  await ask(next);
  await open();
  await ended(idle[1]);
  expect([busy.closed, next.closed]).toEqual([false, false]);
  expect(warn).toHaveBeenCalledExactlyOnceWith({ most: 3, ended: 1 }, expect.any(String));
});

test("an answered connection is idle again, and younger than those that were idle before", async () => {
  const { open, ask, answer } = await scene(2);
  const first = await open();
  await ask(first);
  const second = await open();
  const data = once(first, "data");
  answer();
  await data;
  await open();
  await ended(second);
  await ask(first);
});

test.runIf(process.platform === "linux")(
  "where all have requests, an address with many gives way to one with few",
  async () => {
    const { open, ask } = await scene(3);
    const held = [await open("127.0.0.2"), await open("127.0.0.2"), await open("127.0.0.2")] as const;
    for (const socket of held) await ask(socket);
    const other = await open("127.0.0.3");
    await ended(held[0]);
    await ask(other);
    await ended(await open("127.0.0.2"));
    expect([held[1].closed, held[2].closed, other.closed]).toEqual([false, false, false]);
  },
);

test.each([
  [10_000, 20_000, 10_000, 0],
  [10_000, 1024, 768, 1],
  [10_000, 100, 1, 1],
  [10_000, Number.POSITIVE_INFINITY, 10_000, 0],
])("%d connections of %d open files are %d", (wanted, openFiles, most, warnings) => {
  const warn = vi.fn();
  expect(connectionsWithin(wanted, openFiles, { warn })).toBe(most);
  expect(warn).toHaveBeenCalledTimes(warnings);
});
