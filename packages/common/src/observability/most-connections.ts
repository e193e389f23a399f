import type { Server, Socket } from "node:net";

/**
 * Keeps a server to `most` connections: one more ends the oldest of the address that has most of them, so that a
 * stranger who holds connections open keeps nobody else out.
 */
export function keepToConnections(server: Server, most: number): void {
  const byAddress = new Map<string, Set<Socket>>();
  let count = 0;
  server.on("connection", (socket: Socket) => {
    const address = socket.remoteAddress ?? "";
    const own = byAddress.get(address) ?? new Set<Socket>();
    byAddress.set(address, own.add(socket));
    count++;
    socket.once("close", () => {
      count--;
      own.delete(socket);
      if (own.size === 0) byAddress.delete(address);
    });
    if (count > most) oldestOfMost(byAddress)?.destroy();
  });
}

function oldestOfMost(byAddress: ReadonlyMap<string, ReadonlySet<Socket>>): Socket | undefined {
  let largest: ReadonlySet<Socket> = new Set();
  for (const own of byAddress.values()) if (own.size > largest.size) largest = own;
  return largest.values().next().value;
}
