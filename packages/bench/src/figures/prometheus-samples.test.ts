import { describe, expect, it } from "vitest";
import { PrometheusSamples } from "./prometheus-samples.js";

const PAGE = `# HELP a_total Something
# TYPE a_total counter
a_total 3
b_seconds{stage="0"} 0.5
b_seconds{stage="10"} 1e-3
b_seconds{stage="2",note="a \\"quoted\\" } brace\\\\"} 2 1700000000000
inf_gauge +Inf
`;

describe("PrometheusSamples", () => {
  const samples = PrometheusSamples.parse([PAGE]);

  it("adds up the series of a name, all or those with given labels", () => {
    expect(samples.sum("a_total")).toBe(3);
    expect(samples.sum("b_seconds")).toBeCloseTo(2.501, 9);
    expect(samples.sum("b_seconds", { stage: "10" })).toBe(0.001);
    expect(samples.sum("b_seconds", { note: 'a "quoted" } brace\\' })).toBe(2);
    expect(samples.sum("nothing")).toBe(0);
  });

  it("lists a label's values in the order of numbers", () => {
    expect(samples.valuesOf("b_seconds", "stage")).toEqual(["0", "2", "10"]);
  });

  it("adds up equal series of several pages", () => {
    expect(PrometheusSamples.parse([PAGE, PAGE]).sum("a_total")).toBe(6);
  });
});
