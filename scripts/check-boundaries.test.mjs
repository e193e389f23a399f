import { describe, expect, it } from "vitest";
import { problemsOf } from "./check-boundaries.mjs";
import { smallTree } from "./testing/small-tree.mjs";

const EXPORTS = { ".": { default: "./dist/index.js" }, "./low": { default: "./dist/low/low.js" } };
const LAYERS = [["high"], ["middle", "beside"], ["low"]];

/** The problems of a tree with one package `house` of four rooms, whose `middle/middle.ts` has the given text. */
function problemsWith(middle, changes = {}) {
  const root = smallTree({
    "packages/house/package.json": {
      name: "@rhone/house",
      exports: EXPORTS,
      layers: LAYERS,
      dependencies: { zod: "4" },
    },
    "packages/house/src/index.ts": 'export { high } from "./high.js";',
    "packages/house/src/high.ts": 'import { middle } from "./middle/middle.js";\nexport const high = middle;',
    "packages/house/src/middle/middle.ts": middle,
    "packages/house/src/beside/beside.ts": "export const beside = 1;",
    "packages/house/src/low/low.ts": "export const low = 1;\nexport type Low = number;",
    ...changes,
  });
  return problemsOf(root, { "packages/house": {}, "services/guest": { "@rhone/house": ["hall/", "door.ts"] } });
}

const MIDDLE = "export const middle = 1;";

describe("the rooms of a package", () => {
  it("may import from lower floors", () => {
    expect(problemsWith(`import { low } from "../low/low.js"; import { z } from "zod"; ${MIDDLE}`)).toEqual([]);
  });

  it.each([
    ["a value import", 'import { beside } from "../beside/beside.js";'],
    ["a type import", 'import type { Beside } from "../beside/beside.js";'],
    ["an inline type import", 'import { type Beside } from "../beside/beside.js";'],
    ["a re-export", 'export { beside } from "../beside/beside.js";'],
    ["a star re-export", 'export * from "../beside/beside.js";'],
    ["a side effect", 'import "../beside/beside.js";'],
    ["a dynamic import", 'const beside = await import("../beside/beside.js");'],
    ["the type of an import", 'let beside: import("../beside/beside.js").Beside;'],
  ])("may not import sideways by %s", (_, text) => {
    expect(problemsWith(`${text}\n${MIDDLE}`)).toEqual([
      "packages/house/src/middle/middle.ts imports packages/house/src/beside/beside.ts: middle is not above beside",
    ]);
  });

  it("may not import upwards", () => {
    const low = 'import type { beside } from "../beside/beside.js"; export const low = 1;';
    expect(problemsWith(MIDDLE, { "packages/house/src/low/low.ts": low })).toEqual([
      "packages/house/src/low/low.ts imports packages/house/src/beside/beside.ts: low is not above beside",
    ]);
  });

  it("are listed", () => {
    expect(problemsWith(MIDDLE, { "packages/house/package.json": { name: "@rhone/house" } })).toEqual([
      'packages/house: package.json has no "layers"',
    ]);
  });

  it("are each on one floor, and no floor names a room that is gone", () => {
    const manifest = { name: "@rhone/house", layers: [["high", "gone"], ["middle", "low"], ["low"]] };
    expect(problemsWith(MIDDLE, { "packages/house/package.json": manifest })).toEqual([
      'packages/house: no floor of "layers" has beside',
      'packages/house: "layers" names gone, which does not exist',
      'packages/house: "layers" names low twice',
    ]);
  });

  it("may not import the index, which is above them all", () => {
    expect(problemsWith(MIDDLE, { "packages/house/src/beside/beside.ts": 'import "../index.js";' })).toEqual([
      "packages/house/src/beside/beside.ts imports packages/house/src/index.ts: beside is not above index",
    ]);
  });

  it("may not import what is there for tests", () => {
    const help = { "packages/house/src/low/testing/help.ts": "export const help = 1;" };
    expect(problemsWith(`import { help } from "../low/testing/help.js"; ${MIDDLE}`, help)).toEqual([
      "packages/house/src/middle/middle.ts imports packages/house/src/low/testing/help.ts, which only tests may",
    ]);
  });

  it("leave tests and testing/ alone", () => {
    const upwards = 'import { high } from "../high.js";';
    const tests = { "packages/house/src/low/low.test.ts": upwards, "packages/house/src/low/testing/a.ts": upwards };
    expect(problemsWith(MIDDLE, tests)).toEqual([]);
  });
});

describe("a circle", () => {
  it("is found when only types close it", () => {
    const middle = 'import type { other } from "./other.js"; export const middle = 1;';
    const other = 'import { middle } from "./middle.js"; export const other = middle;';
    expect(problemsWith(middle, { "packages/house/src/middle/other.ts": other })).toEqual([
      "import circle: packages/house/src/middle/middle.ts, packages/house/src/middle/other.ts",
    ]);
  });

  it("is named whole when it runs through several files, and each circle once", () => {
    const to = (name) => `import "./${name}.js"; export const middle = 1;`;
    const files = Object.fromEntries(
      ["a:b", "b:c", "c:a", "d:d", "e:a"].map((pair) => [`packages/house/src/middle/${pair[0]}.ts`, to(pair[2])]),
    );
    expect(problemsWith(MIDDLE, files)).toEqual([
      "import circle: packages/house/src/middle/a.ts, packages/house/src/middle/b.ts, packages/house/src/middle/c.ts",
      "import circle: packages/house/src/middle/d.ts",
    ]);
  });
});

describe("a package", () => {
  it("imports only packages that its package.json lists", () => {
    expect(problemsWith(`import pino from "pino"; import { z } from "zod/v4"; import "node:fs"; ${MIDDLE}`)).toEqual([
      "packages/house/src/middle/middle.ts imports pino, which its package.json does not list",
    ]);
  });

  it("exports only what its sources compile to", () => {
    const exports = {
      ".": { types: "./dist/index.d.ts", default: "./dist/gone.js" },
      "./help": "./dist/testing/help.js",
    };
    const changes = {
      "packages/house/package.json": { name: "@rhone/house", exports, layers: LAYERS },
      "packages/house/src/testing/help.ts": "export const help = 1;",
    };
    expect(problemsWith(MIDDLE, changes)).toEqual([
      "packages/house/package.json exports ./dist/gone.js, which no source compiles to",
      "packages/house/package.json exports ./dist/testing/help.js, which no source compiles to",
    ]);
  });

  it("has a row in the table", () => {
    const stranger = { "packages/stranger/package.json": { layers: [] }, "packages/stranger/src/index.ts": "" };
    expect(problemsWith(MIDDLE, stranger)).toEqual([
      "packages/stranger has no row in the table of scripts/check-boundaries.mjs",
    ]);
  });

  it("imports ours only as the table allows, and from the rooms and files that it allows", () => {
    const guest = {
      "services/guest/package.json": { layers: [["door"], ["hall", "yard"]], dependencies: { "@rhone/house": "0" } },
      "services/guest/src/door.ts": 'import { high } from "@rhone/house";',
      "services/guest/src/hall/a.ts": 'import { low } from "@rhone/house/low";',
      "services/guest/src/yard/a.ts": 'import { high } from "@rhone/house";',
    };
    expect(problemsWith(MIDDLE, guest)).toEqual([
      "services/guest/src/yard/a.ts imports @rhone/house, which only services/guest/src/hall/, door.ts may",
    ]);
    const upwards = problemsWith(`import "@rhone/guest"; ${MIDDLE}`);
    expect(upwards).toContain(
      "packages/house/src/middle/middle.ts imports @rhone/guest, which packages/house must not",
    );
  });

  it("does not reach into another by a path", () => {
    const guest = {
      "services/guest/package.json": { layers: [["hall"]] },
      "services/guest/src/hall/a.ts": 'import { low } from "../../../../packages/house/src/low/low.js";',
    };
    expect(problemsWith(MIDDLE, guest)).toEqual([
      "services/guest/src/hall/a.ts reaches out of its package's src by ../../../../packages/house/src/low/low.js",
    ]);
  });

  it.each(["../../../house/dist/low/low.js", "../../dist/index.js"])("does not import what is compiled: %s", (path) => {
    expect(problemsWith(`import "${path}"; ${MIDDLE}`)).toEqual([
      `packages/house/src/middle/middle.ts reaches out of its package's src by ${path}`,
    ]);
  });

  it.each([`"../" + name`, "name"])("computes no specifier: %s", (source) => {
    expect(problemsWith(`export const middle = (name: string) => import(${source});`)).toEqual([
      `packages/house/src/middle/middle.ts has import(${source}), which no check can follow`,
    ]);
  });
});
