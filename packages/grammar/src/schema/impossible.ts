import { RhoneError } from "@rhone/common";

/** Thrown for a schema, or a part of one, that no value satisfies; a caller that has another way to go catches it. */
export class Impossible extends RhoneError {
  constructor(where: string, why: string) {
    super("INVALID_REQUEST", `cannot be satisfied: ${where} ${why}`);
  }
}

/** Thrown for a schema that says more than a grammar can; a caller that promises less catches it. */
export class Unenforceable extends RhoneError {
  constructor(message: string) {
    super("INVALID_REQUEST", message);
  }
}

/** Throws for what a grammar cannot say. */
export function unenforceable(where: string, why: string): never {
  throw new Unenforceable(`${where} ${why}`);
}

/** Throws INVALID_REQUEST for what is no schema. */
export function refuseSchema(where: string, why: string): never {
  throw new RhoneError("INVALID_REQUEST", `${where} ${why}`);
}
