import { expect, it } from "vitest";
import { findingsOf } from "./check-prose.mjs";
import { smallTree } from "./testing/small-tree.mjs";

const found = (path, text) => findingsOf(smallTree({ [path]: text }), [path]);
const long = "word ".repeat(25);

it.each([
  ["a line comment", "\n// waits for so long\n"],
  ["a block comment, over two lines", "\n/**\n * waits for so\n * long */\n", 3],
  ["a string", '\nexport const a = "for so long";'],
  ["a template", `\nexport const a = \`\${1} for so long\`;`],
])("finds a phrase in %s", (_, text, line = 2) => {
  expect(found("a.ts", text)).toEqual([`a.ts:${line}: "for so long"; say for this long`]);
});

it("knows which word follows, also on the next line", () => {
  expect(found("a.ts", "/**\n * It stands\n *   for it.\n */")).toEqual([]);
  expect(found("a.ts", "/**\n * It stands\n *   there.\n */")).toEqual(['a.ts:2: "stands"; say is, or are kept']);
});

it("leaves names and code alone", () => {
  expect(found("a.ts", "export const whoever = { anew: 1 }.anew;")).toEqual([]);
});

it.each(["lies about", "lie between 0 and 1", "stands for", "stands in for", "understand", "such as"])(
  "%j is good English",
  (phrase) => expect(found("a.md", `It ${phrase} it.`)).toEqual([]),
);

it.each([
  ["a comment", "a.ts", `// ${long}`, 128],
  ["a line with a comment at its end", "a.ts", `export const a = 1; // ${long}`, 148],
  ["Markdown", "a.md", long, 125],
])("finds a long line in %s", (_, path, text, columns) => {
  expect(found(path, text)).toEqual([`${path}:1: ${columns} columns; at most 120`]);
});

it.each([
  ["a string", "a.ts", `export const a = "${long}";`],
  ["a table", "a.md", `| ${long} |`],
  ["fenced code", "a.md", `\`\`\`sh\n${long} anew\n\`\`\``],
  ["a link", "a.md", `[here](https://example.org/${"x".repeat(120)})`],
])("leaves a long line in %s", (_, path, text) => expect(found(path, text)).toEqual([]));
