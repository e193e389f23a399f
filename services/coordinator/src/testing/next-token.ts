import { firstVisiblePosition } from "@rhone/planner";

export const VOCABULARY = 1000;

/** The rule that stands in for a model: the token after `visible` (what the row at `position` sees, in order). */
export function nextToken(visible: readonly number[], position: number): number {
  let hash = 2166136261 ^ position;
  for (const token of visible) hash = Math.imul(hash ^ token, 16777619);
  return (hash >>> 0) % VOCABULARY;
}

/** Returns the token after `visible`, the tokens that the row at `position` sees. */
export type NextToken = (visible: readonly number[], position: number) => number;

/** A rule with tokens 0 to 2 whose texts soon repeat themselves, so that drafts are often right. */
export function repetitiveToken(visible: readonly number[]): number {
  const [last = 0, before = 0] = visible.toReversed();
  return (last * 2 + before + 1) % 3;
}

/** Stands in for log P(target | row), exact in f32. */
export function scoreOf(visible: readonly number[], position: number, target: number): number {
  return -((nextToken(visible, position) ^ target) % 512) / 256;
}

/** Stands in for a row's hidden state: whole numbers, whose sums are exact in any order. */
export function stateOf(visible: readonly number[], position: number): readonly number[] {
  const hash = nextToken(visible, position);
  return [hash % 7, hash % 11, hash % 13, 1];
}

/** The sum of rows' states, [4]. */
export function sumOfStates(states: readonly (readonly number[])[]): Float32Array {
  return Float32Array.from([0, 1, 2, 3], (i) => states.reduce((sum, state) => sum + (state[i] ?? 0), 0));
}

export interface SoloRun {
  readonly tokens: readonly number[];
  readonly scores: readonly number[];
  /** Of the prompt: the mean of its states at length 1. */
  readonly embedding: Float32Array;
}

/** The results of a sequence that runs alone, without pages, batches or stages. */
export function runAlone(
  prompt: readonly number[],
  maxTokens: number,
  slidingWindow: number,
  next: NextToken = nextToken,
): SoloRun {
  const all = [...prompt];
  const visibleAt = (position: number) => all.slice(firstVisiblePosition(position, slidingWindow), position + 1);
  const scores = prompt.slice(1).map((target, position) => scoreOf(visibleAt(position), position, target));
  const states = sumOfStates(prompt.map((_, position) => stateOf(visibleAt(position), position)));
  const length = Math.sqrt(states.reduce((sum, value) => sum + value * value, 0));
  for (let count = 0; count < maxTokens; count++) {
    const position = all.length - 1;
    all.push(next(visibleAt(position), position));
  }
  return { tokens: all.slice(prompt.length), scores, embedding: states.map((value) => value / length) };
}
