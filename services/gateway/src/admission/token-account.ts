import type { GenerationEvent, GenerationJob } from "@rhone/common";
import type { Reservation } from "./rate-limits.js";

/** Tokens reserved for each choice of a request that does not limit its answer. */
const UNSTATED_TOKENS = 512;

/** The most tokens that a request may cost: its prompts, and the answers of all choices. */
export function tokensFor(jobs: readonly GenerationJob[], isLimitStated: boolean): number {
  const most = isLimitStated ? Number.POSITIVE_INFINITY : UNSTATED_TOKENS;
  return jobs.reduce((sum, { promptIds, maxTokens }) => sum + promptIds.length + Math.min(maxTokens, most), 0);
}

/** The outcome of a request whose client left. */
const LEFT = "cancelled";

interface AccountOptions {
  /** null: the caller has no limit, or others settle. */
  readonly reservation: Pick<Reservation, "settle"> | null;
  readonly jobs: readonly GenerationJob[];
  /** Asked at the end: whether generation goes on without the client, so that everything reserved may be used. */
  readonly detached: () => boolean;
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

  /**
   * The tokens that a request used which ended so: none if it failed before its first token, its prompts if its client
   * left.
   */
  used(outcome: string): number {
    const prompts = this.#options.jobs.reduce((sum, { promptIds }) => sum + promptIds.length, 0);
    return (this.#began || outcome === LEFT ? prompts : 0) + this.#generated;
  }

  ended(outcome: string): void {
    const { reservation, detached } = this.#options;
    if (outcome === LEFT && detached()) return;
    void reservation?.settle(this.used(outcome));
  }
}
