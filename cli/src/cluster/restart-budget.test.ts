import { expect, test } from "vitest";
import { RestartBudget } from "./restart-budget.js";

const limits = { most: 3, withinMs: 1000, firstDelayMs: 10 };

test("pauses double, then the budget is spent, then the window has passed", () => {
  const budget = new RestartBudget(limits);
  expect([0, 100, 200, 300, 999].map((now) => budget.next(now))).toEqual([10, 20, 40, null, null]);
  expect(budget.next(1050)).toBe(40);
  expect(budget.next(5000)).toBe(10);
});
