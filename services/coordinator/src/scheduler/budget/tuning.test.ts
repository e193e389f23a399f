import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { TUNED, TUNING } from "./tuning.js";

const page = readFileSync(new URL("../../../../../docs/scheduler.md", import.meta.url), "utf8");

/** The cells of each row of the page whose first cell is a constant's name. */
const printed = new Map(
  [...page.matchAll(/^\| `(\w+)` (.*)\|$/gm)].map(([, name, cells = ""]) => [
    name,
    cells
      .split("|")
      .map((cell) => cell.trim())
      .filter((cell) => cell !== ""),
  ]),
);

describe("the tuned constants", () => {
  it.each(Object.entries(TUNED))("%s is printed in docs/scheduler.md", (name, { value, unit, meaning, measured }) => {
    expect(printed.get(name)).toEqual([String(value), unit, meaning, measured]);
  });

  it("are the only ones printed there", () => {
    expect([...printed.keys()]).toEqual(Object.keys(TUNED));
  });

  it("are read by their names", () => {
    expect(TUNING.regroupEvery).toBe(TUNED.regroupEvery.value);
    expect(Object.keys(TUNING)).toEqual(Object.keys(TUNED));
  });
});
