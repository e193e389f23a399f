import type { Server, Socket } from "node:net";

/** Open sockets by their remote address, in the order in which they came. */
export class Connections {
  readonly #byAddress = new Map<string, Set<Socket>>();
  readonly #addresses = new Map<Socket, string>();

  get size(): number {
    return this.#addresses.size;
  }

  /** Holds the socket until it closes, or is removed. */
  add(socket: Socket): void {
    if (this.#addresses.has(socket)) return;
    const address = socket.remoteAddress ?? "";
    this.#addresses.set(socket, address);
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? new Set<Socket>()).add(socket));
    socket.once("close", () => this.remove(socket));
  }

  remove(socket: Socket): void {
    const address = this.#addresses.get(socket);
    if (address === undefined) return;
    this.#addresses.delete(socket);
    const own = this.#byAddress.get(address);
    own?.delete(socket);
    if (own?.size === 0) this.#byAddress.delete(address);
  }

  /** The oldest of the address that has most of them. */
  oldestOfMost(): Socket | undefined {
    let largest: ReadonlySet<Socket> = new Set();
    for (const own of this.#byAddress.values()) if (own.size > largest.size) largest = own;
    return largest.values().next().value;
  }
}

/**
 * Keeps a server to `most` connections: one more ends the oldest of the address that has most of them, so that a
 * stranger who holds connections open keeps nobody else out.
 */
export function keepToConnections(server: Server, most: number): void {
  const connections = new Connections();
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    if (connections.size > most) connections.oldestOfMost()?.destroy();
  });
}
