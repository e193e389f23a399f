import type { GenerationEvent, GenerationJob } from "@rhone/common";
import type { Reservation } from "./rate-limits.js";

/** What a request uses of the tokens that were set aside for it. */
export class TokenAccount {
  readonly #reservation: Reservation | null;
  readonly #promptTokens: number;
  #generated = 0;
  #began = false;

  /** null: its caller has no limit. */
  constructor(reservation: Reservation | null, jobs: readonly GenerationJob[]) {
    this.#reservation = reservation;
    this.#promptTokens = jobs.reduce((sum, { promptIds }) => sum + promptIds.length, 0);
  }

  take({ tokens }: GenerationEvent): void {
    this.#began = true;
    this.#generated += tokens.length;
  }

  /**
   * `isLeft`: its client is gone, which does not make the prompt free; `goesOn`: without the client, so that all may be used.
   * What failed before its first token used nothing.
   */
  close({ isLeft, goesOn }: { readonly isLeft: boolean; readonly goesOn: boolean }): void {
    if (goesOn) return;
    const prompts = this.#began || isLeft ? this.#promptTokens : 0;
    void this.#reservation?.settle(prompts + this.#generated);
  }
}
