import type { StepCosts } from "./step-costs.js";

/** How much longer a step may take for the sake of one prompt: together with jitter the gap stays below twice its length. */
const STRETCH = 0.6;
/**
 * And for prompts that came before any of the streams had begun: they all want to begin, and chunks that are shorter cost more
 * per row than they spare the first streams (50 rows took 8.5 ms each, 64 took 6.0, beside steps of 43 ms).
 */
const BURST_STRETCH = 12;
/** Chunks that a prompt is cut into at most to follow each other through the stages, and the least rows of one. */
const MOST_CHUNKS = 16;
const LEAST_CHUNK = 16;
const FEW_ROWS = 8;

/** The gap that prompts may cause between two tokens of a stream: milliseconds, a share of what it is, or anything. */
export type TargetItl = number | "auto" | "off";

/** What is decoding while prompts wait. */
export interface DecodeLoad {
  /** Decoding sequences. */
  readonly sequences: number;
  /** Micro-batches per cycle: a gap between two tokens is so many steps long. */
  readonly groups: number;
  /** Sequences whose prompts are being computed. */
  readonly prompts: number;
  /** The first of them came before any of the decoding sequences had its first token. */
  readonly burst: boolean;
}

/** How many prompt rows a step may carry. */
export class PrefillBudget {
  readonly #target: TargetItl;
  readonly #costs: StepCosts;

  constructor(target: TargetItl, costs: StepCosts) {
    this.#target = target;
    this.#costs = costs;
  }

  /** Beside `decodeRows` rows of decoding sequences, of at most `room`: at least one row, or prompts would starve. */
  beside(decodeRows: number, room: number, load: DecodeLoad): number {
    if (this.#target === "off" || !this.#costs.known || room === 0) return room;
    const base = this.#costs.slowest(decodeRows);
    const limit = this.#target === "auto" ? base * (1 + stretch(load)) : this.#target / load.groups;
    const rows = this.#costs.rowsWithin(limit, decodeRows + room) - decodeRows;
    return rows > 0 ? rows : this.#cheapest(decodeRows, room);
  }

  /** In a step of their own between those of decoding sequences: what fits into the same stretch, or nothing. */
  between(room: number, load: DecodeLoad): number {
    if (this.#target === "off" || !this.#costs.known) return room;
    const base = this.#costs.slowest(Math.ceil(load.sequences / load.groups));
    const limit = this.#target === "auto" ? base * stretch(load) : this.#target - load.groups * base;
    return this.#costs.rowsWithin(limit, room);
  }

  /**
   * The rows of a chunk when nothing decodes, and the most otherwise: of prompts with `due` rows in all, k chunks take
   * k + stages - 1 times the slowest stage's time for one, since they follow each other through the stages.
   */
  alone(stages: number, room: number, due: number): number {
    if (stages === 1 || room === 0 || !this.#costs.known) return room;
    let best = room;
    let bestMs = Number.POSITIVE_INFINITY;
    for (let chunks = Math.ceil(due / room); chunks <= Math.max(MOST_CHUNKS, Math.ceil(due / room)); chunks++) {
      const rows = Math.ceil(due / chunks);
      const ms = (chunks + stages - 1) * this.#costs.slowest(rows);
      if (rows < LEAST_CHUNK && best < room) break;
      if (ms < bestMs) [best, bestMs] = [rows, ms];
    }
    return best;
  }

  /** The few rows that lengthen the step least: with 15, 28, 26, 25 ms for 1 to 4 rows, three beside one. */
  #cheapest(decodeRows: number, room: number): number {
    let best = 1;
    for (let rows = 2; rows <= Math.min(FEW_ROWS, room); rows++) {
      if (this.#costs.slowest(decodeRows + rows) <= this.#costs.slowest(decodeRows + best)) best = rows;
    }
    return best;
  }
}

/** One prompt stretches the step by 0.6; many prompts before few streams get as much time each as a stream does. */
function stretch({ sequences, prompts, burst }: DecodeLoad): number {
  return Math.max(burst ? BURST_STRETCH : 0, STRETCH * Math.max(1, prompts / Math.max(1, sequences)));
}
