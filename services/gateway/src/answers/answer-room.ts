import { FairWaiters, type GenerationEvent, type Lane, RhoneError } from "@rhone/common";
import { Counts } from "../counts.js";
import type { Metrics } from "../metrics.js";
import { RequestError } from "../request-error.js";
import { eventBytes, ID_BYTES } from "./answer-bytes.js";

/** Answers up to this many bytes always find room: 1,000 tokens of text. */
const SMALL_BYTES = 16 * 1024;
/** Requests that may wait: each holds its prompts meanwhile. */
const MOST_WAITING = 256;

export interface AnswerRoomOptions {
  /** Bytes of all answers above 16 KiB. */
  readonly most: number;
  /** How long a request waits, in milliseconds. */
  readonly withinMs: number;
  readonly metrics: Pick<Metrics, "answersHeld" | "answersWaiting">;
}

export interface AskedRoom {
  /** The most that the answer may take until its end. */
  readonly bytes: number;
  readonly lane: Lane;
  /** The caller's API key; "" = anonymous. */
  readonly owner: string;
  /** When waiting is over in any case, in Unix milliseconds. */
  readonly deadlineAtMs?: number;
}

interface Wanted {
  readonly bytes: number;
  readonly key: string;
  readonly deadlineAtMs: number;
}

/**
 * Bounds what the answers of all requests take in memory until they have ended. Room for the longest that a request may
 * have is taken before it runs, so that no answer in progress is lost for want of it. An API key, and the batches of
 * one, have no more than they leave free. Those that find none wait, and take turns by key.
 */
export class AnswerRoom {
  readonly #options: AnswerRoomOptions;
  readonly #waiting: FairWaiters<Wanted>;
  readonly #ofKey = new Counts();
  #held = 0;

  constructor(options: AnswerRoomOptions) {
    this.#options = options;
    this.#waiting = new FairWaiters({ most: MOST_WAITING, busy: (why, wanted) => this.#full(why, wanted) });
  }

  /**
   * Waits for room. Throws INVALID_REQUEST for more than there is, GATEWAY_BUSY when too many wait, or for too long,
   * DEADLINE_EXCEEDED, and the reason of `signal`.
   */
  async take(asked: AskedRoom, signal: AbortSignal): Promise<HeldAnswer> {
    const wanted = this.#wanted(asked);
    if (!this.#takes(wanted)) await this.#wait(wanted, signal);
    return this.#heldBy(wanted);
  }

  /** Takes room at once. Throws INVALID_REQUEST and GATEWAY_BUSY. */
  takeNow(asked: AskedRoom): HeldAnswer {
    const wanted = this.#wanted(asked);
    if (!this.#takes(wanted)) throw this.#full("Answers that are sent again do not wait", wanted);
    return this.#heldBy(wanted);
  }

  #wanted({ bytes, lane, owner, deadlineAtMs = Number.POSITIVE_INFINITY }: AskedRoom): Wanted {
    const { most } = this.#options;
    const key = lane === "batch" ? `batches of ${owner}` : owner;
    if (bytes <= most) return { bytes: bytes <= SMALL_BYTES ? 0 : bytes, key, deadlineAtMs };
    throw new RequestError(
      "INVALID_REQUEST",
      `The answer may take ${bytes} bytes of the gateway's memory until its end, and all answers ${most} at most ` +
        "(--answers-bytes); ask for fewer tokens, choices or log-probabilities, or stream it.",
    );
  }

  /** Whether there is room, which is taken then. */
  #takes({ bytes, key }: Wanted): boolean {
    const free = this.#options.most - this.#held;
    const own = key === "" ? 0 : this.#ofKey.of(key);
    const fits = bytes === 0 || (bytes <= free && (own === 0 || own + bytes <= free));
    if (fits) this.#count(key, bytes);
    return fits;
  }

  async #wait(wanted: Wanted, signal: AbortSignal): Promise<void> {
    const { metrics } = this.#options;
    // A timer may fire a millisecond early.
    const leftMs = Math.max(0, wanted.deadlineAtMs - Date.now()) + 1;
    const withinMs = Math.min(this.#options.withinMs, leftMs);
    metrics.answersWaiting.inc();
    try {
      await this.#waiting.wait({ owner: wanted.key, item: wanted, withinMs, signal });
    } finally {
      metrics.answersWaiting.dec();
    }
  }

  #heldBy({ bytes, key }: Wanted): HeldAnswer {
    return new HeldAnswer(bytes, (change) => this.#count(key, change));
  }

  #count(key: string, change: number): void {
    this.#held += change;
    this.#ofKey.add(key, change);
    this.#options.metrics.answersHeld.set(this.#held);
    let goesOn = change < 0;
    while (goesOn) goesOn = this.#waiting.next((wanted) => this.#takes(wanted));
  }

  #full(why: string, { bytes, key, deadlineAtMs }: Wanted): RhoneError {
    const wants = `There is no room in the gateway's memory for this answer, which may take ${bytes} bytes`;
    const held = `other answers may take ${this.#held} of ${this.#options.most} bytes (--answers-bytes)`;
    const own = `${this.#ofKey.of(key)} of them with this API key, which has no more than it leaves free`;
    const advice = "stream the answer, set a lower max_tokens, ask for fewer log-probabilities, or try again shortly";
    const code = Date.now() < deadlineAtMs ? "GATEWAY_BUSY" : "DEADLINE_EXCEEDED";
    return new RhoneError(code, `${wants}: ${key === "" ? held : `${held}, ${own}`}. ${why}; ${advice}.`);
  }
}

/** The room of one answer. Follows its run, to count a text that is longer than was expected. */
export class HeldAnswer {
  readonly #count: (change: number) => void;
  #bytes: number;
  #came = 0;
  #tokens = 0;
  #isReleased = false;

  constructor(bytes: number, count: (change: number) => void) {
    this.#bytes = bytes;
    this.#count = count;
  }

  took(event: GenerationEvent): void {
    this.#came += eventBytes(event);
    this.#tokens += event.tokens.length;
    if (this.#came > Math.max(this.#bytes, SMALL_BYTES)) this.#hold(this.#came);
  }

  /** Nothing more comes: gives back what the answer does not need. */
  ended(): void {
    this.#hold(Math.min(this.#bytes, this.#came + ID_BYTES * this.#tokens));
  }

  /** The answer is needed no longer. */
  release(): void {
    this.#hold(0);
    this.#isReleased = true;
  }

  #hold(bytes: number): void {
    if (this.#isReleased) return;
    const change = bytes - this.#bytes;
    this.#bytes = bytes;
    if (change !== 0) this.#count(change);
  }
}
