import type { AST } from "@eslint-community/regexpp";
import { MAX_REPETITIONS } from "../ebnf/repeat.js";
import { Unenforceable } from "../refusals.js";

/** An element with how often it is repeated; `max` may be infinite. */
export type Repeated = Pick<AST.Quantifier, "min" | "max" | "element">;

/**
 * A quantifier without quantifiers directly inside it: `(a{1,16}){1,16}` is `a{1,256}`, which can be read in one way
 * instead of in many. The engine follows all ways: `([a-z]{1,16}){1,16}` took it 8.5 s. Throws INVALID_REQUEST, with
 * the numbers, where the one way is too long to be enforced and there are many.
 */
export function flatQuantifier({ min, max, element }: Repeated): Repeated {
  const inner = onlyQuantifier(element);
  if (inner === undefined) return { min, max, element };
  const { element: part, ...each } = flatQuantifier(inner);
  // Every number between the least and the most must be a sum of allowed ones, as 4 is not for (a{3}){1,2}.
  if (min < max && product(min, each.max) + 1 < (min + 1) * each.min) return { min, max, element };
  const least = min * each.min;
  const most = Math.max(least, product(max, each.max));
  const total = Number.isFinite(most) ? most : least;
  if (total <= MAX_REPETITIONS) return { min: least, max: most, element: part };
  if (each.min === each.max) return { min, max, element };
  throw new Unenforceable(
    "",
    `repeats ${part.raw} up to ${total} times by repetitions of repetitions; ${MAX_REPETITIONS} can be enforced`,
  );
}

const product = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

/** The quantifier that is all of a group. */
function onlyQuantifier(element: AST.Element): AST.Quantifier | undefined {
  if (element.type !== "CapturingGroup" && (element.type !== "Group" || element.modifiers != null)) return undefined;
  const [alternative, ...others] = element.alternatives;
  const [only, ...more] = alternative?.elements ?? [];
  if (only === undefined || others.length > 0 || more.length > 0) return undefined;
  return only.type === "Quantifier" ? only : onlyQuantifier(only);
}
