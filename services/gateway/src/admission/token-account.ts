import type { GenerationEvent, GenerationJob } from "@rhone/common";
import type { Reservation } from "./rate-limits.js";

/** Tokens reserved for each choice of a request that does not limit its answer. */
const UNSTATED_TOKENS = 512;

/** The most tokens that a request may cost: its prompts, and the answers of all choices. */
export function tokensFor(jobs: readonly GenerationJob[], isLimitStated: boolean): number {
  const most = isLimitStated ? Number.POSITIVE_INFINITY : UNSTATED_TOKENS;
  return jobs.reduce((sum, { promptIds, maxTokens }) => sum + promptIds.length + Math.min(maxTokens, most), 0);
}

interface AccountOptions {
  /** null: the caller has no limit. */
  readonly reservation: Reservation | null;
  readonly jobs: readonly GenerationJob[];
  /** Generation goes on without the client, so that everything reserved may be used. */
  readonly detached: boolean;
}

/** Counts what a request uses of the tokens reserved for it, and settles the difference at its end. */
export class TokenAccount {
  readonly #options: AccountOptions;
  #generated = 0;
  #began = false;

  constructor(options: AccountOptions) {
    this.#options = options;
  }

  took({ tokens }: GenerationEvent): void {
    this.#began = true;
    this.#generated += tokens.length;
  }

  /** A request that failed before its first token used nothing; one whose client left used its prompts. */
  ended(outcome: string): void {
    const { reservation, jobs, detached } = this.#options;
    const isLeft = outcome === "cancelled";
    if (reservation === null || (isLeft && detached)) return;
    const prompts = jobs.reduce((sum, { promptIds }) => sum + promptIds.length, 0);
    void reservation.settle((this.#began || isLeft ? prompts : 0) + this.#generated);
  }
}
