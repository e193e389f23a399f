import { RhoneError } from "@rhone/common/rhone-error";

/** A schema, or a part of one, that no value satisfies. A caller that has other alternatives catches it. */
export class Impossible extends RhoneError {
  constructor(where: string, why: string) {
    super("INVALID_REQUEST", `cannot be satisfied: ${where} ${why}`);
  }
}

/** A schema or regular expression that says more than a grammar can. A caller that promises less catches it. */
export class Unenforceable extends RhoneError {
  /** The place in the schema, such as "#/properties/a"; "" in a regular expression. */
  readonly where: string;
  readonly why: string;

  constructor(where: string, why: string) {
    super("INVALID_REQUEST", where === "" ? why : `${where} ${why}`);
    this.where = where;
    this.why = why;
  }
}

/** A grammar, or a source of one, that is larger than the limit. A caller that promises less catches it. */
export class TooLarge extends RhoneError {
  constructor(why: string) {
    super("INVALID_REQUEST", `is too large: ${why}`);
  }
}

/** Throws INVALID_REQUEST for input that is not a schema. */
export function refuseSchema(where: string, why: string): never {
  throw new RhoneError("INVALID_REQUEST", `${where} ${why}`);
}

/** Throws Unenforceable for a part of a regular expression. */
export function refuseRegex(part: string): never {
  throw new Unenforceable("", `has ${part} in a regular expression, which cannot be enforced`);
}
