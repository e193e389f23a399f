import type { Answer } from "./answer.js";

/** Where an answer differs first from the one that is known. */
export interface Difference {
  /** wrong: neither a piece is missing nor one is there twice. */
  readonly what: "lost" | "doubled" | "wrong";
  readonly field: "tokens" | "text" | "log-probabilities" | "calls" | "end";
  /** Tokens, characters, log-probabilities or calls before it. */
  readonly at: number;
  /** Pieces that are missing, or there again; 0 for a wrong one. */
  readonly count: number;
  /** A few pieces from there on. */
  readonly expected: string;
  readonly got: string;
}

/** Pieces after a gap that must agree again, if there are that many. */
const AGREEING = 6;
const SHOWN = 8;

/** null for equal answers. Tokens are compared first: what is wrong with them is wrong with the text, too. */
export function differenceOf(expected: Answer, got: Answer): Difference | null {
  return (
    compare("tokens", expected.ids, got.ids) ??
    compare("text", [...expected.text], [...got.text]) ??
    compare("log-probabilities", expected.logprobs, got.logprobs) ??
    compare("calls", expected.calls, got.calls) ??
    compare("end", [endOf(expected)], [endOf(got)])
  );
}

const endOf = ({ finish, promptTokens, completionTokens }: Answer): string =>
  `${finish}, ${promptTokens} + ${completionTokens} tokens`;

function compare<T>(field: Difference["field"], expected: readonly T[], got: readonly T[]): Difference | null {
  const at = firstDifference(expected, got);
  if (at === null) return null;
  const shown = (pieces: readonly T[]): string => pieces.slice(at, at + SHOWN).join(field === "text" ? "" : " ");
  return { ...natureOf(expected, got, at), field, at, expected: shown(expected), got: shown(got) };
}

function firstDifference<T>(expected: readonly T[], got: readonly T[]): number | null {
  const shared = Math.min(expected.length, got.length);
  for (let at = 0; at < shared; at++) if (expected[at] !== got[at]) return at;
  return expected.length === got.length ? null : shared;
}

/** By whether what follows agrees again after some pieces are left out of one of the two. */
function natureOf<T>(expected: readonly T[], got: readonly T[], at: number): Pick<Difference, "what" | "count"> {
  if (got.length === at) return { what: "lost", count: expected.length - at };
  const most = Math.max(expected.length, got.length) - at;
  for (let count = 1; count <= most; count++) {
    if (at + count < expected.length && agree(expected, at + count, got, at)) return { what: "lost", count };
    const repeats = got.slice(at, at + count).every((piece, index) => piece === expected[at - count + index]);
    if (count <= at && repeats && agree(expected, at, got, at + count)) return { what: "doubled", count };
  }
  return { what: "wrong", count: 0 };
}

/** As far as both go, and at least one piece, unless both are over. */
function agree<T>(one: readonly T[], from: number, other: readonly T[], otherFrom: number): boolean {
  const left = [one.length - from, other.length - otherFrom];
  const shared = Math.min(AGREEING, ...left);
  if (shared <= 0) return left.every((each) => each === 0);
  for (let index = 0; index < shared; index++) if (one[from + index] !== other[otherFrom + index]) return false;
  return true;
}
