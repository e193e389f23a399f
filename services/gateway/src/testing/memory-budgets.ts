import { type Budgets, WINDOW_MS } from "../admission/budgets.js";

/** Budgets as in Redis, of one process and by its clock. */
export function memoryBudgets(): Budgets {
  const wholeAt = new Map<string, number>();
  const clock = (name: string) => ({ now: Date.now(), whole: Math.max(Date.now(), wholeAt.get(name) ?? 0) });
  return {
    async take(name, { limit, points }) {
      const { now, whole } = clock(name);
      const after = whole + (points * WINDOW_MS) / limit;
      const lateMs = Math.max(0, after - now - WINDOW_MS);
      const endsAtMs = lateMs < 0.01 ? after : whole;
      wholeAt.set(name, endsAtMs);
      return { isWithin: lateMs < 0.01, wholeInMs: endsAtMs - now, fitsInMs: lateMs, endsAtMs };
    },
    async correct(name, { limit, points, endsAtMs }) {
      const { now, whole } = clock(name);
      const cost = (points * WINDOW_MS) / limit;
      wholeAt.set(name, whole + (cost < 0 ? Math.max(cost, Math.min(0, now - endsAtMs)) : cost));
    },
  };
}
