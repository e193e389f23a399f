import type { StepCosts } from "./step-costs.js";

/** How much longer a step may take for the sake of prompts: together with jitter the gap stays below twice its length. */
const STRETCH = 1.6;
/** While a prompt has several stages to itself it is cut into chunks of at most so many rows, which follow each other through them. */
const PIPELINED_ROWS = 128;
const FEW_ROWS = 8;

/** The gap that prompts may cause between two tokens of a stream: milliseconds, a share of what it is, or anything. */
export type TargetItl = number | "auto" | "off";

/**
 * How many prompt rows a step may carry.
 * `decodeRows`: rows of decoding sequences in the step; `groups`: micro-batches per cycle, so that a gap is `groups` steps long.
 */
export class PrefillBudget {
  readonly #target: TargetItl;
  readonly #costs: StepCosts;

  constructor(target: TargetItl, costs: StepCosts) {
    this.#target = target;
    this.#costs = costs;
  }

  /** Beside decode rows: at least one row, or prompts would starve. */
  beside(decodeRows: number, options: { readonly groups: number; readonly room: number }): number {
    const { groups, room } = options;
    if (this.#target === "off" || !this.#costs.known || room === 0) return room;
    const base = this.#costs.slowest(decodeRows);
    const limit = this.#target === "auto" ? base * STRETCH : this.#target / groups;
    const rows = this.#costs.rowsWithin(limit, decodeRows + room) - decodeRows;
    return rows > 0 ? rows : this.#cheapest(decodeRows, room);
  }

  /** In a step of their own between those of `groups` groups of `decodeRows` rows: what fits into the same stretch, or nothing. */
  between(decodeRows: number, options: { readonly groups: number; readonly room: number }): number {
    const { groups, room } = options;
    if (this.#target === "off" || !this.#costs.known) return room;
    const base = this.#costs.slowest(decodeRows);
    const limit = this.#target === "auto" ? base * (STRETCH - 1) : this.#target - groups * base;
    return this.#costs.rowsWithin(Math.min(limit, base), room);
  }

  /** The few rows that lengthen the step least: with 15, 28, 26, 25 ms for 1 to 4 rows, three beside one. */
  #cheapest(decodeRows: number, room: number): number {
    let best = 1;
    for (let rows = 2; rows <= Math.min(FEW_ROWS, room); rows++) {
      if (this.#costs.slowest(decodeRows + rows) <= this.#costs.slowest(decodeRows + best)) best = rows;
    }
    return best;
  }

  /** Nothing decodes. */
  alone(stages: number, room: number): number {
    return stages === 1 ? room : Math.min(room, PIPELINED_ROWS);
  }
}
