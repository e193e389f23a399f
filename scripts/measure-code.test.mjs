import { expect, it } from "vitest";
import { format, measure, spread } from "./measure-code.mjs";
import { smallTree } from "./testing/small-tree.mjs";

it.each([
  [[], { median: 0, p90: 0, max: 0 }],
  [[7], { median: 7, p90: 7, max: 7 }],
  [[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], { median: 5, p90: 9, max: 10 }],
])("the spread of %j", (values, expected) => expect(spread(values)).toEqual(expected));

const SOURCE = `// TODO: one comment
/**
 * Three lines.
 */
export function long(a: any, b: number, c: number, d: number): number {
  const short = () => [a, b].map((x) => x! as number);
  return short()[0] as never;
}

export class Thing {
  readonly #list = [1] as const;
  method(): number {
    return this.#list[0];
  }
}
`;

const tree = () =>
  smallTree({
    "packages/a/package.json": { name: "@rhone/a", layers: [["a"], ["b"]] },
    "packages/a/src/a.ts": SOURCE,
    "packages/a/src/b.ts": 'import type { Thing } from "./a.js";\nexport type B = Thing;\n',
    "packages/a/src/a.test.ts": "1;\n2;\n",
    "packages/a/src/testing/c.ts": "3;\n",
    "packages/a/src/generated.d.ts": "declare const no: any;\n",
    "test/whole.test.ts": "4;\n5;\n6;\n",
  });

it("counts files, functions, comments, tests and the rest", () => {
  const [own, all] = measure(tree());
  expect(own).toMatchObject({
    name: "packages/a",
    files: 2,
    lines: 17,
    fileLines: { median: 2, p90: 15, max: 15 },
    smallFileShare: 1,
    functionLines: { median: 3, p90: 4, max: 4 },
    functionLinesWithAnonymous: { median: 1, p90: 4, max: 4 },
    commentShare: 4 / 17,
    testLines: 3,
    testsPerSource: 3 / 17,
    testFilesAlonePerSource: 2 / 17,
    any: 1,
    casts: 2,
    nonNull: 1,
    todo: 1,
    manyParameters: ["packages/a/src/a.ts:5 long: 4"],
    circles: [],
    arrows: ["packages/a/src/b.ts -> packages/a/src/a.ts"],
  });
  expect(all).toMatchObject({ name: "all", lines: 17, testLines: 6, testsPerSource: 6 / 17 });
});

it("prints a row per package, one for all, and the lists", () => {
  const text = format(measure(tree()));
  expect(text).toContain(
    "| packages/a | 2 / 17 | 2 · 15 · 15 | 100.0 % | 3 · 4 · 4 | 23.5 % | 0.18 (0.12) | 1 | 0 | 1 | 1 | 1 |",
  );
  expect(text).toContain("| all | 2 / 17 |");
  expect(text).toContain("Arrows against the layers:\n  packages/a/src/b.ts -> packages/a/src/a.ts");
});
