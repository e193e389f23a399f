export interface RestartLimits {
  readonly most: number;
  readonly withinMs: number;
  /** The pause before the first restart; doubled for each further one within the window. */
  readonly firstDelayMs: number;
}

export const RESTART_LIMITS: RestartLimits = { most: 5, withinMs: 60_000, firstDelayMs: 250 };

/** How often a service may be restarted before that is hopeless. */
export class RestartBudget {
  readonly #limits: RestartLimits;
  #restarts: number[] = [];

  constructor(limits: RestartLimits = RESTART_LIMITS) {
    this.#limits = limits;
  }

  /** The pause before the next restart in milliseconds, or null when the budget is spent. */
  next(nowMs: number): number | null {
    const { most, withinMs, firstDelayMs } = this.#limits;
    this.#restarts = this.#restarts.filter((at) => nowMs - at < withinMs);
    if (this.#restarts.length >= most) return null;
    this.#restarts.push(nowMs);
    return firstDelayMs * 2 ** (this.#restarts.length - 1);
  }
}
