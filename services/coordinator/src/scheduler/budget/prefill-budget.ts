import type { StepCosts } from "./step-costs.js";
import { TUNING } from "./tuning.js";

/** The gap between two tokens of a stream that prompts may cause: milliseconds, in proportion to the steps, or any. */
export type TargetItl = number | "auto" | "off";

/** The step that prompt rows would join. */
export interface OpenStep {
  /** Rows of decoding sequences in it. */
  readonly decodeRows: number;
  /** Rows that still fit. */
  readonly room: number;
  /** Steps in flight before it. */
  readonly framesInFlight: number;
}

/** Who decodes, and which prompts wait to be computed. */
export interface PrefillLoad {
  /** Decoding sequences. */
  readonly decoding: number;
  /** Groups that they decode in: the gap between two tokens of one is a cycle of this many steps. */
  readonly groups: number;
  /** Requests whose prompts are being computed: one with 64 choices is no more than another. */
  readonly requests: number;
  /** Rows of their prompts, those computed in this run included. */
  readonly promptRows: number;
  /** The first prompt arrived before any running stream had its first token. */
  readonly burst: boolean;
}

/** How many prompt rows a step may carry, for the time of one epoch. */
export class PrefillBudget {
  readonly #target: TargetItl;
  readonly #costs: StepCosts;
  readonly #stages: number;

  constructor(options: { readonly target: TargetItl; readonly costs: StepCosts; readonly stages: number }) {
    this.#target = options.target;
    this.#costs = options.costs;
    this.#stages = options.stages;
  }

  /**
   * Prompt rows for `step`. While sequences decode, prompts get steps of their own only when a stage would be idle
   * otherwise: the decode rows that follow would queue behind them.
   */
  rows({ decodeRows, room, framesInFlight }: OpenStep, load: PrefillLoad): number {
    const chunk = this.#chunk(room, load.promptRows);
    if (decodeRows > 0) return this.#beside(decodeRows, chunk, load);
    if (load.decoding > 0) return framesInFlight < this.#stages ? this.#between(chunk, load) : 0;
    return framesInFlight <= this.#stages ? chunk : 0;
  }

  /** Beside decode rows, at most `room`: at least one row, or prompts would starve. */
  #beside(decodeRows: number, room: number, load: PrefillLoad): number {
    if (this.#target === "off" || !this.#costs.known || room === 0) return room;
    const baseMs = this.#costs.slowest(decodeRows);
    const limitMs = this.#target === "auto" ? baseMs * (1 + stretch(load)) : this.#target / load.groups;
    const rows = this.#costs.rowsWithin(limitMs, decodeRows + room) - decodeRows;
    return rows > 0 ? rows : this.#cheapestFew(decodeRows, room);
  }

  /** In a step of their own between those of decoding sequences: as many as run within the same stretch, or none. */
  #between(room: number, load: PrefillLoad): number {
    if (this.#target === "off" || !this.#costs.known) return room;
    const baseMs = this.#costs.slowest(Math.ceil(load.decoding / load.groups));
    const limitMs = this.#target === "auto" ? baseMs * stretch(load) : this.#target - load.groups * baseMs;
    return this.#costs.rowsWithin(limitMs, room);
  }

  /**
   * The rows of a chunk when nothing decodes, and the most otherwise. k chunks follow each other through the stages in
   * k + stages - 1 times the slowest stage's time for one; the k with the shortest sum is taken.
   */
  #chunk(room: number, promptRows: number): number {
    if (this.#stages === 1 || room === 0 || !this.#costs.known) return room;
    const fewest = Math.ceil(promptRows / room);
    let best = room;
    let bestMs = Number.POSITIVE_INFINITY;
    for (let chunks = fewest; chunks <= Math.max(TUNING.mostChunks, fewest); chunks++) {
      const rows = Math.ceil(promptRows / chunks);
      const ms = (chunks + this.#stages - 1) * this.#costs.slowest(rows);
      if (rows < TUNING.leastChunkRows && best < room) break;
      if (ms < bestMs) [best, bestMs] = [rows, ms];
    }
    return best;
  }

  /** The few rows that lengthen the step least: three beside one, where 1 to 4 rows take 15, 28, 26 and 25 ms. */
  #cheapestFew(decodeRows: number, room: number): number {
    let best = 1;
    for (let rows = 2; rows <= Math.min(TUNING.fewRows, room); rows++) {
      if (this.#costs.slowest(decodeRows + rows) <= this.#costs.slowest(decodeRows + best)) best = rows;
    }
    return best;
  }
}

/**
 * The share by which prompts may lengthen a step: 0.6 for one request; each of many gets as much time as a stream has.
 */
function stretch({ decoding, requests, burst }: PrefillLoad): number {
  const fair = TUNING.itlStretch * Math.max(1, requests / Math.max(1, decoding));
  return burst ? Math.max(TUNING.burstStretch, fair) : fair;
}
