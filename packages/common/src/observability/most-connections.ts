import type { Server, Socket } from "node:net";

const addressOf = ({ remoteAddress }: Socket): string => remoteAddress ?? "";

/** Open sockets by whose they are, in the order in which they came. */
export class Connections {
  readonly #ownerOf: (socket: Socket) => string;
  readonly #byOwner = new Map<string, Set<Socket>>();
  readonly #owners = new Map<Socket, string>();

  /** `ownerOf`: default: the remote address. */
  constructor(ownerOf: (socket: Socket) => string = addressOf) {
    this.#ownerOf = ownerOf;
  }

  get size(): number {
    return this.#owners.size;
  }

  /** Holds the socket until it is removed. */
  add(socket: Socket): void {
    if (this.#owners.has(socket)) return;
    const owner = this.#ownerOf(socket);
    this.#owners.set(socket, owner);
    this.#byOwner.set(owner, (this.#byOwner.get(owner) ?? new Set<Socket>()).add(socket));
  }

  remove(socket: Socket): void {
    const owner = this.#owners.get(socket);
    if (owner === undefined) return;
    this.#owners.delete(socket);
    const own = this.#byOwner.get(owner);
    own?.delete(socket);
    if (own?.size === 0) this.#byOwner.delete(owner);
  }

  /** How many the owner of this one has. */
  countOf(socket: Socket): number {
    return this.#byOwner.get(this.#owners.get(socket) ?? "")?.size ?? 0;
  }

  /** The oldest of the owner that has most of them. */
  oldestOfMost(): Socket | undefined {
    let largest: ReadonlySet<Socket> = new Set();
    for (const own of this.#byOwner.values()) if (own.size > largest.size) largest = own;
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
    socket.once("close", () => connections.remove(socket));
    if (connections.size > most) connections.oldestOfMost()?.destroy();
  });
}
