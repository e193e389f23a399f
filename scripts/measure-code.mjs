// Measures of the code, per package and over all: sizes, comments, tests, circles, layering.
// Usage: measure-code.mjs [--json] [ROOT]
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { arrowsAgainst, circlesOf, readImports, roomOf } from "./source/import-graph.mjs";
import { readPackages, typescriptFiles } from "./source/packages.mjs";
import { parse, walk } from "./source/syntax.mjs";

const SMALL_FILE = 30;
const MOST_PARAMETERS = 3;
const FUNCTIONS = ["FunctionDeclaration", "FunctionExpression", "ArrowFunctionExpression"];

/** All measures of the checkout at `root`: one record per package, and one named `all`. */
export function measure(root) {
  const packages = readPackages(root);
  const imports = readImports(root, packages);
  const circles = circlesOf(imports);
  const rows = packages.map((each) => measurePackage(root, each, imports, circles));
  const systemTests = typescriptFiles(root, "test").map((path) => readTest(root, path));
  return [...rows, overall(rows, systemTests)].map(summarize);
}

function measurePackage(root, { folder, manifest: { layers }, sources, tests }, imports, circles) {
  const own = imports.filter(({ from }) => from.startsWith(`${folder}/src/`));
  return {
    name: folder,
    files: sources.map((path) => readSource(root, path)),
    tests: tests.map((path) => readTest(root, path)),
    rooms: new Set(sources.map(roomOf)).size,
    circles: circles.filter((circle) => circle.some((path) => path.startsWith(`${folder}/src/`))),
    arrows: layers === undefined ? null : arrowsAgainst(layers, own).map(({ from, target }) => `${from} -> ${target}`),
  };
}

function overall(rows, systemTests) {
  const arrows = rows.map((row) => row.arrows);
  return {
    name: "all",
    files: rows.flatMap(({ files }) => files),
    tests: [...rows.flatMap(({ tests }) => tests), ...systemTests],
    rooms: rows.reduce((sum, row) => sum + row.rooms, 0),
    circles: [...new Set(rows.flatMap((row) => row.circles))],
    arrows: arrows.includes(null) ? null : arrows.flat(),
  };
}

const lineCount = (text) => text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
const readTest = (root, path) => ({ path, lines: lineCount(readFileSync(join(root, path), "utf8")) });

/** What is counted in one file. */
export function readSource(root, path) {
  const text = readFileSync(join(root, path), "utf8");
  const { program, comments } = parse(path, text);
  const line = lineNumbers(text);
  const file = { path, lines: lineCount(text), commentLines: 0, functions: [], any: 0, todo: 0, ...openCounts };
  file.commentLines = new Set(comments.flatMap(({ start, end }) => range(line(start), line(end - 1)))).size;
  file.todo = comments.filter(({ value }) => /\b(TODO|FIXME|XXX|HACK)\b/.test(value)).length;
  walk(program, (node, parent) => {
    if (node.type === "TSAnyKeyword") file.any++;
    if (node.type === "TSNonNullExpression") file.nonNull++;
    if (node.type === "TSAsExpression" && node.typeAnnotation.typeName?.name !== "const") file.casts++;
    if (!FUNCTIONS.includes(node.type) || node.body === null) return;
    const { start, name } = nameOf(node, parent);
    const lines = line(node.end - 1) - line(start) + 1;
    file.functions.push({ name, path, line: line(start), lines, parameters: node.params.length });
  });
  return file;
}

const openCounts = { nonNull: 0, casts: 0 };

/** The name of a declaration, a method or a function held by a variable, and where it begins; null = anonymous. */
function nameOf(node, parent) {
  if (node.id) return { name: node.id.name, start: node.start };
  if (parent?.value === node && ["MethodDefinition", "PropertyDefinition", "Property"].includes(parent.type)) {
    return { name: parent.key.name ?? String(parent.key.value), start: parent.start };
  }
  if (parent?.type === "VariableDeclarator") return { name: parent.id.name ?? null, start: parent.start };
  return { name: null, start: node.start };
}

/** Gives the line, from 1, of an offset. */
function lineNumbers(text) {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

const range = (first, last) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** Median, 90th percentile and largest, by nearest rank. */
export function spread(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = (share) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { median: rank(0.5), p90: rank(0.9), max: rank(1) };
}

const sum = (items, key) => items.reduce((total, item) => total + item[key], 0);

function summarize({ name, files, tests, rooms, circles, arrows }) {
  const lines = sum(files, "lines");
  const functions = files.flatMap((file) => file.functions);
  const bare = tests.filter(({ path }) => path.endsWith(".test.ts"));
  return {
    name,
    files: files.length,
    lines,
    fileLines: spread(files.map((file) => file.lines)),
    functionLines: spread(functions.filter((each) => each.name !== null).map((each) => each.lines)),
    functionLinesWithAnonymous: spread(functions.map((each) => each.lines)),
    smallFileShare: files.filter((file) => file.lines <= SMALL_FILE).length / files.length,
    commentShare: sum(files, "commentLines") / lines,
    testFiles: tests.length,
    testLines: sum(tests, "lines"),
    testsPerSource: sum(tests, "lines") / lines,
    testFilesAlonePerSource: sum(bare, "lines") / lines,
    any: sum(files, "any"),
    casts: sum(files, "casts"),
    nonNull: sum(files, "nonNull"),
    todo: sum(files, "todo"),
    manyParameters: functions
      .filter(({ parameters, path }) => parameters > MOST_PARAMETERS && !path.includes("/bindings/"))
      .map((each) => `${each.path}:${each.line} ${each.name ?? "(anonymous)"}: ${each.parameters}`),
    rooms,
    circles,
    arrows,
    longestFiles: largest(files).map((file) => `${file.path}: ${file.lines}`),
    longestFunctions: largest(functions).map(
      (each) => `${each.path}:${each.line} ${each.name ?? "(anonymous)"}: ${each.lines}`,
    ),
  };
}

const largest = (items) => [...items].sort((a, b) => b.lines - a.lines).slice(0, 5);

/** The measures as a Markdown table and the lists below it. */
export function format(rows) {
  const all = rows.at(-1);
  const of = ({ median, p90, max }) => `${median} · ${p90} · ${max}`;
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const table = rows.map((row) => [
    row.name,
    `${row.files} / ${row.lines.toLocaleString("en")}`,
    of(row.fileLines),
    percent(row.smallFileShare),
    of(row.functionLines),
    percent(row.commentShare),
    `${row.testsPerSource.toFixed(2)} (${row.testFilesAlonePerSource.toFixed(2)})`,
    row.any,
    row.circles.length,
    row.arrows?.length ?? "no layers",
    row.manyParameters.length,
    row.todo,
  ]);
  const head = ["", "files / lines", "file median · p90 · max", `files <= ${SMALL_FILE} lines`];
  head.push("named function median · p90 · max", "comment", "tests / source (*.test.ts alone)", "any", "circles");
  head.push("arrows against layers", `functions with > ${MOST_PARAMETERS} parameters`, "TODO");
  const list = (title, items) => (items.length === 0 ? [] : ["", `${title}:`, ...items.map((item) => `  ${item}`)]);
  return [
    ...[head, head.map(() => "---"), ...table].map((cells) => `| ${cells.join(" | ")} |`),
    "",
    `Functions with anonymous ones: ${of(all.functionLinesWithAnonymous)}. Casts ${all.casts}, non-null assertions ${all.nonNull}.`,
    ...list("Longest files", all.longestFiles),
    ...list("Longest functions", all.longestFunctions),
    ...list(
      "Circles",
      all.circles.map((circle) => circle.join(", ")),
    ),
    ...list("Arrows against the layers", all.arrows ?? rows.flatMap(({ arrows }) => arrows ?? [])),
    ...list(`Functions with more than ${MOST_PARAMETERS} parameters, bindings apart`, all.manyParameters),
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const root = args.find((arg) => !arg.startsWith("--")) ?? fileURLToPath(new URL("..", import.meta.url));
  const rows = measure(root);
  console.log(args.includes("--json") ? JSON.stringify(rows, null, 2) : format(rows));
}
