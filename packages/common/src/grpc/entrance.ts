import type { Socket } from "node:net";

/**
 * Lets connections begin one in a turn of the event loop, in the order in which they came: a handshake, and the calls
 * that the first read brings, may take 20 ms. Those that have ended meanwhile do not begin.
 */
export class Entrance {
  readonly #begin: (socket: Socket) => void;
  readonly #waiting: Socket[] = [];

  constructor(begin: (socket: Socket) => void) {
    this.#begin = begin;
  }

  add(socket: Socket): void {
    if (this.#waiting.push(socket) === 1) setImmediate(() => this.#next());
  }

  #next(): void {
    const socket = this.#waiting[0];
    try {
      if (socket !== undefined && !socket.destroyed) this.#begin(socket);
    } finally {
      this.#waiting.shift();
      if (this.#waiting.length > 0) setImmediate(() => this.#next());
    }
  }
}
