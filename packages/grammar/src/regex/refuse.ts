import { RhoneError } from "@rhone/common";

/** For what a grammar cannot say. */
export function refuse(part: string): never {
  throw new RhoneError("INVALID_REQUEST", `has ${part} in a regular expression, which cannot be enforced`);
}
