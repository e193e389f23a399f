import { expect, it } from "vitest";
import { DASHBOARDS, textOf, writtenText } from "./write-dashboards.mjs";

const names = Object.keys(DASHBOARDS);

it.each(names)("deploy/monitoring has the dashboard %s as it is written", (name) => {
  expect(writtenText(name), "run: node scripts/write-dashboards.mjs").toBe(textOf(name));
});

it.each(names)("the panels of %s have ids of their own, lie within 24 columns, and cover nothing", (name) => {
  const { panels } = DASHBOARDS[name];
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const taken = new Set();
  for (const { title, gridPos } of panels) {
    const { x, y, w, h } = gridPos;
    expect(x + w, title).toBeLessThanOrEqual(24);
    for (let column = x; column < x + w; column++) {
      for (let row = y; row < y + h; row++) {
        expect(taken.has(`${column} ${row}`), title).toBe(false);
        taken.add(`${column} ${row}`);
      }
    }
  }
});

it("each has an id by which links find it, and asks for the data source", () => {
  const all = Object.values(DASHBOARDS);
  expect(new Set(all.map(({ uid }) => uid)).size).toBe(all.length);
  for (const { templating, panels } of all) {
    expect(templating.list[0]).toMatchObject({ name: "datasource", type: "datasource" });
    for (const { type, datasource } of panels) if (type !== "row") expect(datasource.uid).toBe("$datasource");
  }
});
