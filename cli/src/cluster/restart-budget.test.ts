import { describe, expect, it } from "vitest";
import { RestartBudget } from "./restart-budget.js";

const limits = { most: 3, withinMs: 1000, firstDelayMs: 10 };

describe("RestartBudget", () => {
  it("doubles the pause, then gives up", () => {
    const budget = new RestartBudget(limits);
    expect([0, 1, 2, 3].map((nowMs) => budget.next(nowMs))).toEqual([10, 20, 40, null]);
  });

  it("forgets restarts that are long past", () => {
    const budget = new RestartBudget(limits);
    for (const nowMs of [0, 1, 2]) budget.next(nowMs);
    expect(budget.next(2000)).toBe(10);
  });
});
