import type { ClusterStatus } from "@rhone/common";

/** A coordinator publishes each second, and at once when something changes: over less, a rate is noise. */
const LEAST_MS = 500;

export interface Rates {
  /** Tokens per second. */
  readonly generated: number;
  readonly prompt: number;
}

interface Known extends Rates {
  /** From which the next rates are counted. */
  readonly from: Pick<ClusterStatus, "updatedAtMs" | "tokens">;
}

const NONE: Rates = { generated: 0, prompt: 0 };

/** Tokens per second of all pipelines together, from one look at their statuses to the next. */
export class TokenRates {
  #known = new Map<string, Known>();

  of(statuses: readonly ClusterStatus[]): Rates {
    const known = statuses.map((status) => [status.coordinator, this.#next(status)] as const);
    this.#known = new Map(known);
    const sum = (kind: keyof Rates) => known.reduce((total, [, rates]) => total + rates[kind], 0);
    return { generated: sum("generated"), prompt: sum("prompt") };
  }

  #next({ coordinator, updatedAtMs, tokens }: ClusterStatus): Known {
    const from = { updatedAtMs, tokens };
    const before = this.#known.get(coordinator);
    if (before === undefined) return { ...NONE, from };
    const ms = updatedAtMs - before.from.updatedAtMs;
    if (ms < LEAST_MS) return before;
    // Fewer tokens than before: the coordinator began again.
    const rate = (kind: keyof Rates) => Math.max(0, (1000 * (tokens[kind] - before.from.tokens[kind])) / ms);
    return { generated: rate("generated"), prompt: rate("prompt"), from };
  }
}
