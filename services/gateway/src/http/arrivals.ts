import type { Readable } from "node:stream";
import { FairWaiters } from "@rhone/common";
import { hasTime } from "../turns.js";

/** Bytes that wait are read for this long in a turn; the rest of it is left to requests that have begun. */
const READING_MS = 10;
/** Connections that are read in a turn, at most. */
const IN_A_TURN = 256;
/** A health check is one request and all that its connection sent. */
const PROBE = /^(GET|HEAD) \/(health|ready)[ ?]/;
const PROBE_BYTES = 2048;

/** A socket. */
type Connection = Readable & { readonly remoteAddress?: string | undefined };

/**
 * Reads connections in turns of the event loop, which their requests share. All sockets that have bytes are read in
 * one turn, and what answers a request at once runs there: 4 MB on 7,000 connections were one turn of 10 s. Here a turn
 * takes 20 ms; the other bytes go back into their sockets, which are read no further until their turn comes. Remote
 * addresses take turns, and health checks have every second place.
 */
export class Arrivals {
  readonly #probes = new FairWaiters<null>();
  readonly #others = new FairWaiters<null>();
  #places = 0;
  #isServing = false;

  /** For each new connection, once the HTTP server listens to its bytes. */
  follow(socket: Connection): void {
    const parse = socket.listeners("data").at(-1) as (bytes: Buffer) => void;
    // A system call, and here they are few in a turn.
    const { remoteAddress: address = "" } = socket;
    let isWaiting = false;
    let mayGo = false;
    const go = (): void => {
      isWaiting = false;
      mayGo = true;
      socket.resume();
    };
    socket.removeListener("data", parse).on("data", (bytes: Buffer) => {
      if (mayGo || (!this.#isServing && hasTime())) {
        mayGo = false;
        parse(bytes);
        return;
      }
      // Before the bytes go back: a flowing socket would send them here again.
      socket.pause().unshift(bytes);
      if (isWaiting) return;
      isWaiting = true;
      const waiters = isProbe(bytes) ? this.#probes : this.#others;
      void waiters.wait({ owner: address, item: null }).then(go);
      this.#begin();
    });
  }

  #begin(): void {
    if (this.#isServing) return;
    this.#isServing = true;
    setImmediate(() => this.#serve());
  }

  /** One at least, in every second turn: the turn between is left to what waits for one with time left. */
  #serve(): void {
    // The turn begins with the first.
    hasTime();
    this.#next();
    this.#isServing = this.#probes.size + this.#others.size > 0;
    if (this.#isServing) setImmediate(() => this.#rest());
  }

  /** Each goes in an immediate of its own: what it sets off with promises runs before the next. */
  #rest(): void {
    setImmediate(() => this.#serve());
    const count = Math.min(IN_A_TURN, this.#probes.size + this.#others.size);
    for (let each = 1; each < count; each++)
      setImmediate(() => {
        if (hasTime(READING_MS)) this.#next();
      });
  }

  #next(): void {
    const [first, second] = this.#places++ % 2 === 0 ? [this.#probes, this.#others] : [this.#others, this.#probes];
    if (!first.next()) second.next();
  }
}

function isProbe(bytes: Buffer): boolean {
  if (bytes.length > PROBE_BYTES || !PROBE.test(bytes.toString("latin1", 0, 16))) return false;
  return bytes.indexOf("\r\n\r\n") === bytes.length - 4;
}
