import { expect, it } from "vitest";
import { status } from "../testing/coordinator-status.js";
import { TokenRates } from "./token-rates.js";

const at = (updatedAtMs: number, generated: number, coordinator = "c1") =>
  status(coordinator, {
    updatedAtMs,
    tokens: { prompt: 2 * generated, cached: 0, generated, drafted: 0, accepted: 0 },
  });

it("adds up the pipelines, each from its own last status", () => {
  const rates = new TokenRates();
  expect(rates.of([at(1000, 100), at(1000, 0, "c2")])).toEqual({ generated: 0, prompt: 0 });
  expect(rates.of([at(2000, 150), at(3000, 40, "c2")])).toEqual({ generated: 70, prompt: 140 });
});

it("keeps a rate while no later status has come, and until half a second has passed", () => {
  const rates = new TokenRates();
  rates.of([at(1000, 0)]);
  expect(rates.of([at(2000, 50)]).generated).toBe(50);
  expect(rates.of([at(2000, 50)]).generated).toBe(50);
  expect(rates.of([at(2010, 60)]).generated).toBe(50);
  expect(rates.of([at(3000, 150)]).generated).toBe(100);
});

it("is 0 for a coordinator that began again", () => {
  const rates = new TokenRates();
  rates.of([at(1000, 500)]);
  expect(rates.of([at(2000, 3)]).generated).toBe(0);
});
