import { Unenforceable } from "../schema/impossible.js";

/** For what a grammar cannot say. */
export function refuse(part: string): never {
  throw new Unenforceable(`has ${part} in a regular expression, which cannot be enforced`);
}
