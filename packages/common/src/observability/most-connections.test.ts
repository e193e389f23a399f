import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { onTestFinished, test } from "vitest";
import { keepToConnections } from "./most-connections.js";

/** Connections of several addresses of this machine: all of 127.0.0.0/8 is its own on Linux. */
async function scene(most: number) {
  const server = createServer((socket) => socket.on("error", () => {}).pipe(socket));
  keepToConnections(server, most);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return async (localAddress: string): Promise<Socket> => {
    const socket = connect({ host: "127.0.0.1", port, localAddress });
    sockets.push(socket.on("error", () => {}).resume());
    await once(socket, "connect");
    return socket;
  };
}

const answers = async (socket: Socket): Promise<void> => {
  socket.write("?");
  await once(socket, "data");
};

test.runIf(process.platform === "linux")("one address's connections end before another one's", async () => {
  const open = await scene(4);
  const other = await open("127.0.0.2");
  const held = [await open("127.0.0.1"), await open("127.0.0.1"), await open("127.0.0.1")] as const;
  await answers(held[2]);
  const ended = once(held[0], "close");
  const fifth = await open("127.0.0.3");
  await ended;
  for (const socket of [other, held[1], held[2], fifth]) await answers(socket);
});

test("connections that ended count no more", async () => {
  const open = await scene(2);
  const first = await open("127.0.0.1");
  await answers(first);
  for (let round = 0; round < 5; round++) {
    const socket = await open("127.0.0.1");
    await answers(socket);
    socket.end();
    await once(socket, "close");
  }
  await answers(first);
});
