export { type KvShape, livePages } from "@rhone/planner";

/** The first position that a token at `position` sees: window 4 at position 5 sees 2, 3, 4, 5. */
export function firstVisible(position: number, slidingWindow: number): number {
  return slidingWindow === 0 ? 0 : Math.max(0, position - slidingWindow + 1);
}
