import type { Server } from "node:http";
import type { Socket } from "node:net";
import { Connections } from "@rhone/common";
import { networkOf } from "../admission/failed-keys.js";

const network = ({ remoteAddress }: Socket): string => networkOf(remoteAddress ?? "");

/** How often it is logged that connections had to end. */
const TOLD_EVERY_MS = 10_000;

interface Log {
  warn(fields: object, message: string): void;
}

/**
 * Keeps a server to `most` connections, so that a client which holds many keeps nobody else out. One more ends another:
 * the oldest that has no request, of the network with most of these; where all have requests, the oldest of the network
 * with most connections, if that has more than the new one's; otherwise the new one.
 */
export class Places {
  readonly #most: number;
  readonly #log: Log;
  readonly #all = new Connections(network);
  readonly #idle = new Connections(network);
  #ended = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  constructor(most: number, log: Log) {
    this.#most = most;
    this.#log = log;
  }

  follow(server: Server): void {
    server.on("connection", (socket: Socket) => {
      this.#all.add(socket);
      socket.once("close", () => {
        this.#all.remove(socket);
        this.#idle.remove(socket);
      });
      if (this.#all.size > this.#most) {
        this.#victimOf(socket).destroy();
        this.#tell();
      }
      if (!socket.destroyed) this.#idle.add(socket);
    });
  }

  /** Of requests whose answers are not sent. */
  has(requests: number, socket: Socket): void {
    if (requests > 0) this.#idle.remove(socket);
    else if (!socket.destroyed) this.#idle.add(socket);
  }

  #victimOf(arrived: Socket): Socket {
    const idle = this.#idle.oldestOfMost();
    if (idle !== undefined) return idle;
    const other = this.#all.oldestOfMost();
    return other !== undefined && this.#all.countOf(other) > this.#all.countOf(arrived) ? other : arrived;
  }

  #tell(): void {
    this.#ended++;
    const now = performance.now();
    if (now - this.#toldAt < TOLD_EVERY_MS) return;
    this.#toldAt = now;
    this.#log.warn({ most: this.#most, ended: this.#ended }, "connections ended for new ones (--most-connections)");
  }
}

/** Files and sockets that a gateway needs besides its clients': Redis, the storage, its own code. */
const OTHER_FILES = 256;

/** The most connections that the system lets a gateway have, of those that it is told to take. Says so if fewer. */
export function connectionsWithin(wanted: number, openFiles: number, log: Log): number {
  const most = Math.min(wanted, Math.max(1, openFiles - OTHER_FILES));
  if (most < wanted) {
    const message = "fewer connections than --most-connections: raise the limit of open files (ulimit -Hn)";
    log.warn({ most, wanted, openFiles }, message);
  }
  return most;
}
