import type { Readable } from "node:stream";
import { accepted, hasTime, whenTime } from "../turns.js";

/** A health check is one request and all that its connection sent. */
const PROBE = /^(GET|HEAD) \/(health|ready)[ ?]/;
/** One request of up to this size may go before larger ones and before several at once. */
const SMALL_BYTES = 2048;
/** Bytes of a connection that wait here while the socket is read on: to pause it takes four times as long. */
const HELD_BYTES = 16 * 1024;
/** Bytes that are parsed between two looks at the clock: 64 KB in chunks of a byte are 10,000 of them. */
const PIECE = 16 * 1024;
const VERSION = " HTTP/1.";

/** What arrives behind a connection's last bytes. */
const END = Symbol("end");
type Arrived = Buffer | typeof END;

/** A socket. */
type Connection = Readable & { readonly remoteAddress?: string | undefined };

/**
 * Reads connections in turns of the event loop, which their requests share. All sockets that have bytes are read in
 * one turn, and what answers a request at once runs there: 4 MB on 7,000 connections were one turn of 10 s. Here a turn
 * takes 10 ms; the other bytes wait until they have a place, and a socket with more than a few is paused: one place in
 * each turn, and more while few requests that have begun wait. Small requests have places of their own, of which health
 * checks have every second one, so that neither waits for 1,000 connections with more. Remote addresses take turns. A
 * connection's end takes a place too, and its close.
 */
export class Arrivals {
  readonly #probes = new Line();
  readonly #small = new Line();
  readonly #others = new Line();
  #places = 0;

  /** For each new connection, once the HTTP server listens to its bytes. */
  follow(socket: Connection): void {
    accepted();
    const parse = socket.listeners("data").at(-1) as (bytes: Buffer) => void;
    const end = socket.listeners("end").at(-1) as (() => void) | undefined;
    // A system call, and here they are few in a turn.
    const { remoteAddress: address = "" } = socket;
    const held: Arrived[] = [];
    let isWaiting = false;
    let isPausedHere = false;
    const pause = (): void => {
      isPausedHere = true;
      socket.pause();
    };
    const handOn = (arrived: Arrived): void => {
      if (arrived === END) {
        end?.();
        return;
      }
      parse(arrived.subarray(0, PIECE));
      for (let at = PIECE; at < arrived.length && !socket.destroyed; at += PIECE) {
        if (socket.isPaused() || !hasTime()) {
          held.unshift(arrived.subarray(at));
          return;
        }
        parse(arrived.subarray(at, at + PIECE));
      }
    };
    const waitPaused = (): void => {
      if (held.length === 0) return;
      if (!socket.isPaused()) pause();
      // Behind its end, Node no longer resumes a socket for a body that is read on: the rest would wait for ever.
      else if (held.at(-1) === END) held.splice(0, held.length - 1);
      else return;
      wait();
    };
    const wait = (): void => {
      const [first] = held;
      if (first === undefined || isWaiting) return;
      isWaiting = true;
      this.#wait(this.#lineOf(first), address, go);
    };
    const go = (): void => {
      isWaiting = false;
      // A POST whose client has left by now would begin only to be aborted: 500 of them took 3 s.
      if (held.at(-1) === END && isPost(held[0])) held.splice(0, held.length - 1);
      const arrived = held.shift();
      // Once a socket is closed, its parser may be another's.
      if (arrived === undefined || socket.destroyed) return;
      if (isPausedHere) socket.resume(); // before the parser, which may pause it for a client that reads no answers
      isPausedHere = false;
      handOn(arrived);
      waitPaused();
    };
    const take = (arrived: Arrived): void => {
      if (held.length === 0 && this.#waiting === 0 && hasTime()) {
        handOn(arrived);
        waitPaused();
        return;
      }
      held.push(arrived);
      if (arrived !== END && (held.length > 1 || arrived.length > HELD_BYTES)) pause();
      wait();
    };
    socket.removeListener("data", parse).on("data", take);
    // A client that leaves in the middle of a request is refused: 500 at once took 0.2 s of processor time.
    if (end !== undefined) socket.removeListener("end", end).once("end", () => take(END));
    // Node's parser takes no bytes of a socket that it has paused, and asserts that it gets none.
    socket.on("resume", () => socket.isPaused() || wait());
    this.#closeInTurns(socket, address);
  }

  /** What it leaves unanswered is aborted: 16 requests of each of 7,000 connections took 0.8 s of processor time. */
  #closeInTurns(socket: Connection, address: string): void {
    const close = socket.listeners("close").at(-1) as (() => void) | undefined;
    if (close === undefined) return;
    socket.removeListener("close", close).once("close", () => {
      if (this.#waiting === 0 && hasTime()) withoutStacks(close);
      else this.#wait(this.#others, address, () => withoutStacks(close));
    });
  }

  #wait(line: Line, address: string, go: () => void): void {
    line.add(address, go);
    if (line === this.#others) whenTime("bytes", () => line.next()?.());
    else whenTime("small", () => this.#nextSmall());
  }

  get #waiting(): number {
    return this.#probes.size + this.#small.size + this.#others.size;
  }

  #lineOf(arrived: Arrived): Line {
    if (arrived === END || !isSmall(arrived)) return this.#others;
    return isProbe(arrived) ? this.#probes : this.#small;
  }

  #nextSmall(): void {
    const [first, second] = this.#places++ % 2 === 0 ? [this.#probes, this.#small] : [this.#small, this.#probes];
    (first.next() ?? second.next())?.();
  }
}

/** Each aborted request has an error that nobody sees; its stack was nine tenths of the time. */
function withoutStacks(close: () => void): void {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    close();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Whether they are of one request at most. */
function isSmall(bytes: Buffer): boolean {
  if (bytes.length > SMALL_BYTES) return false;
  const first = bytes.indexOf(VERSION);
  return first < 0 || bytes.indexOf(VERSION, first + 1) < 0;
}

const isPost = (arrived: Arrived | undefined): boolean =>
  arrived !== undefined && arrived !== END && arrived.toString("latin1", 0, 5) === "POST ";

function isProbe(bytes: Buffer): boolean {
  return PROBE.test(bytes.toString("latin1", 0, 16)) && bytes.indexOf("\r\n\r\n") === bytes.length - 4;
}

/** What waits, first come first served for each address; addresses take turns. */
class Line {
  readonly #of = new Map<string, (() => void)[]>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(address: string, go: () => void): void {
    const theirs = this.#of.get(address);
    if (theirs === undefined) this.#of.set(address, [go]);
    else theirs.push(go);
    this.#size++;
  }

  next(): (() => void) | undefined {
    for (const [address, theirs] of this.#of) {
      const go = theirs.shift();
      this.#of.delete(address);
      if (theirs.length > 0) this.#of.set(address, theirs);
      this.#size--;
      return go;
    }
    return undefined;
  }
}
