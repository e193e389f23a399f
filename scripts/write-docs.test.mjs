import { describe, expect, it } from "vitest";
import { fillTables, metricsTable, PAGES, pageOf, settingsTable } from "./write-docs.mjs";

describe("the pages", () => {
  it.each(Object.keys(PAGES))(
    "docs/%s.md has the tables of the code; else run node scripts/write-docs.mjs",
    async (name) => {
      const { current, expected } = await pageOf(name);
      expect(current).toBe(expected);
    },
  );

  it("say of every metric when to worry", async () => {
    const { current } = await pageOf("metrics");
    const rows = current.split("\n").filter((line) => line.startsWith("| `rhone_"));
    expect(rows.length).toBeGreaterThan(30);
    expect(rows.filter((row) => /\| *\|$/.test(row))).toEqual([]);
  });
});

describe("a table", () => {
  it("takes its place in the page and leaves the rest", () => {
    const page = "# A\n\n<!-- table one -->\nold\n<!-- end -->\n\nB\n<!-- table two --><!-- end -->\n";
    const filled = fillTables(page.replace("two -->", "two -->\n"), { one: "1", two: "2" });
    expect(filled).toBe(
      "# A\n\n<!-- table one -->\n\n1\n\n<!-- end -->\n\nB\n<!-- table two -->\n\n2\n\n<!-- end -->\n",
    );
    expect(fillTables(filled, { one: "1", two: "2" })).toBe(filled);
    expect(() => fillTables(filled, { one: "1" })).toThrow("There is no table two");
  });

  it("of metrics has labels without buckets, units by name, and the advice given", () => {
    const metrics = [
      { name: "rhone_step_seconds", type: "histogram", help: "Time of a step", labelNames: ["phase", "le"] },
      { name: "rhone_steps_total", type: "counter", help: "Steps.", labelNames: [] },
      { name: "process_cpu_seconds_total", type: "counter", help: "Node's own.", labelNames: [] },
    ];
    expect(metricsTable(metrics, new Map([["rhone_steps_total", "It stops."]]))).toBe(
      [
        "| Metric               | Type      | Labels  | Unit    | What it says    | When to worry |",
        "| -------------------- | --------- | ------- | ------- | --------------- | ------------- |",
        "| `rhone_step_seconds` | histogram | `phase` | seconds | Time of a step. |               |",
        "| `rhone_steps_total`  | counter   |         | count   | Steps.          | It stops.     |",
      ].join("\n"),
    );
  });

  it("of settings keeps bars inside its cells", () => {
    const settings = [{ flag: "--a", env: "A", default: "x", range: "", doc: "x|y." }];
    expect(settingsTable(settings, ["Variable", "Meaning"])).toBe(
      ["| Variable | Meaning |", "| -------- | ------- |", "| `A`      | x\\|y.   |"].join("\n"),
    );
  });
});
