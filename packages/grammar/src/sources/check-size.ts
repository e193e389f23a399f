import { RhoneError } from "@rhone/common/rhone-error";
import type { GrammarSource } from "./grammar-source.js";

export interface SizeLimits {
  /** Most characters of all keys, texts and numbers together. */
  readonly characters: number;
  /** Most values: objects, lists, texts, numbers and literals. */
  readonly values: number;
}

/** Before the work: what is larger is neither copied to another thread nor made a grammar of. */
export const SIZE_LIMITS: SizeLimits = { characters: 512 * 1024, values: 50_000 };

/** Throws INVALID_REQUEST, with the field and the limit, for a source of more than that. */
export function checkSourceSize(source: GrammarSource): void {
  try {
    checkSize(source, SIZE_LIMITS);
  } catch (error) {
    if (!(error instanceof RhoneError)) throw error;
    throw new RhoneError(error.code, error.message, { cause: error, param: source.param });
  }
}

/** Throws INVALID_REQUEST, with the limit, for data of more than that. Its own work is bounded by the limits. */
export function checkSize(data: unknown, { characters, values }: SizeLimits): void {
  let [left, unseen] = [characters, values];
  const pending: unknown[] = [data];
  while (pending.length > 0) {
    const value = pending.pop();
    if (--unseen < 0) refuse(`${values} values`);
    if (typeof value === "string") left -= value.length;
    else if (typeof value !== "object" || value === null) left -= String(value).length;
    else {
      const keys = Array.isArray(value) ? value : Object.keys(value);
      if (keys.length > unseen) refuse(`${values} values`);
      if (keys !== value) for (const key of keys) left -= key.length;
      for (const child of Object.values(value)) pending.push(child);
    }
    if (left < 0) refuse(`${characters} characters`);
  }
}

function refuse(limit: string): never {
  throw new RhoneError("INVALID_REQUEST", `is too large: it has more than ${limit}`);
}
