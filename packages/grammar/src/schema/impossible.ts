import { RhoneError } from "@rhone/common";

/** Thrown for a schema, or a part of one, that no value satisfies; a caller that has another way to go catches it. */
export class Impossible extends RhoneError {
  constructor(where: string, why: string) {
    super("INVALID_REQUEST", `cannot be satisfied: ${where} ${why}`);
  }
}

/** Throws INVALID_REQUEST for what is no schema or cannot be enforced. */
export function refuseSchema(where: string, why: string): never {
  throw new RhoneError("INVALID_REQUEST", `${where} ${why}`);
}
