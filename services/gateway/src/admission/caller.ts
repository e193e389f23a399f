import { type ApiKey, RhoneError } from "@rhone/common";

/** Per minute; null: no limit. */
export interface Limits {
  readonly requests: number | null;
  readonly tokens: number | null;
}

/** Who sent a request. */
export interface Caller {
  /** The name of the API key, which owns files, batches and streams; "" where no keys are required. */
  readonly owner: string;
  readonly limits: Limits;
  /** Its API key was made with --admin. */
  readonly isAdmin: boolean;
}

/** Nobody in particular, where no keys are required. */
export const anonymous = (defaults: Limits): Caller => ({ owner: "", limits: defaults, isAdmin: false });

/** The caller that a key belongs to. A limit of 0 lifts the default. */
export function callerOf({ name, requestsPerMinute, tokensPerMinute, isAdmin }: ApiKey, defaults: Limits): Caller {
  const limit = (own: number | null | undefined, usual: number | null) => (own === 0 ? null : (own ?? usual));
  const limits = {
    requests: limit(requestsPerMinute, defaults.requests),
    tokens: limit(tokensPerMinute, defaults.tokens),
  };
  return { owner: name, limits, isAdmin: isAdmin === true };
}

interface Owned {
  readonly id: string;
  /** Absent or "" for things made where no keys were required. */
  readonly owner?: string;
}

export const isOwnedBy = (owner: string, thing: Pick<Owned, "owner">): boolean => (thing.owner ?? "") === owner;

/** The thing itself, for its owner. Throws NOT_FOUND for anybody else, as if it did not exist. */
export function owned<T extends Owned>(owner: string, kind: "file" | "batch", thing: T): T {
  if (isOwnedBy(owner, thing)) return thing;
  throw new RhoneError("NOT_FOUND", `There is no ${kind} ${thing.id}.`);
}
