// Who imports whom, by values, types, re-exports, side effects, dynamic imports or `import("x").T` types.
import { readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, posix } from "node:path";
import { parse, walk } from "./syntax.mjs";

/**
 * @typedef {object} Import
 * @property {string} from the importing file, from the root
 * @property {string} specifier as it is written
 * @property {string | null} dependency the imported package; null for files of one's own and Node's modules
 * @property {string | null} target the imported file, from the root; null when it is outside this checkout
 */

/** Every import of the packages' sources. @returns {readonly Import[]} */
export function readImports(root, packages) {
  const files = new Set(packages.flatMap(({ sources, tests }) => [...sources, ...tests]));
  const byName = new Map(packages.map((each) => [each.manifest.name, each]));
  return packages.flatMap(({ sources }) =>
    sources.flatMap((from) =>
      specifiersOf(from, readFileSync(join(root, from), "utf8")).map((specifier) => {
        const dependency = dependencyOf(specifier);
        const path = specifier.startsWith(".")
          ? posix.join(posix.dirname(from), specifier).replace(/\.js$/, ".ts")
          : entryOf(byName.get(dependency), specifier);
        return { from, specifier, dependency, target: files.has(path) ? path : null };
      }),
    ),
  );
}

/** The specifiers that a file imports, each once. A computed one is given as `import(...)`. */
export function specifiersOf(path, text) {
  const { module, program } = parse(path, text);
  const found = new Set(module.staticImports.map(({ moduleRequest }) => moduleRequest.value));
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest } of entries) if (moduleRequest) found.add(moduleRequest.value);
  }
  if (/\bimport\s*\(/.test(text)) {
    walk(program, ({ type, source }) => {
      if (type !== "ImportExpression" && type !== "TSImportType") return;
      found.add(typeof source.value === "string" ? source.value : `import(${text.slice(source.start, source.end)})`);
    });
  }
  return [...found];
}

/** `@scope/name/sub` and `name/sub` without the path inside the package; null for `./x.js` and `node:fs`. */
function dependencyOf(specifier) {
  if (specifier.startsWith(".") || specifier.startsWith("node:")) return null;
  const parts = specifier.split("/");
  const name = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  return builtinModules.includes(name) ? null : name;
}

/** The source file behind a package's `exports`: `./dist/a/index.js` is compiled from `src/a/index.ts`. */
function entryOf(imported, specifier) {
  if (imported === undefined) return null;
  const { name, exports = {} } = imported.manifest;
  const entry = exports[`.${specifier.slice(name.length)}`];
  const file = typeof entry === "string" ? entry : entry?.default;
  return file?.replace(/^\.\/dist\/(.*)\.js$/, `${imported.folder}/src/$1.ts`) ?? null;
}

/** Groups of files that import one another, directly or by way of others (Tarjan's strongly connected components). */
export function circlesOf(imports) {
  const edges = new Map();
  for (const { from, target } of imports) if (target !== null) edges.set(from, [...(edges.get(from) ?? []), target]);
  const [order, lowest, stack, circles] = [new Map(), new Map(), [], []];
  const visit = (file) => {
    order.set(file, order.size);
    lowest.set(file, order.get(file));
    stack.push(file);
    for (const next of edges.get(file) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(file, Math.min(lowest.get(file), lowest.get(next)));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1 || edges.get(file)?.includes(file)) circles.push(circle.sort());
  };
  for (const file of edges.keys()) if (!order.has(file)) visit(file);
  return circles.sort((a, b) => a[0].localeCompare(b[0]));
}

/** A file's room: the first-level folder of `src` that it is in, or its own name without `.ts`. */
export const roomOf = (path) => path.replace(/^.*?\/src\//, "").replace(/\/.*|\.tsx?$/, "");

/**
 * Imports from a room to another room that is not on a lower floor. `layers` are the floors, the top one first.
 * @returns {readonly (Import & { rooms: readonly [string, string] })[]}
 */
export function arrowsAgainst(layers, imports) {
  const floors = new Map(layers.flatMap((rooms, floor) => rooms.map((room) => [room, floor])));
  return imports
    .filter(({ from, target }) => target !== null && srcOf(from) === srcOf(target))
    .map((each) => ({ ...each, rooms: [roomOf(each.from), roomOf(each.target)] }))
    .filter(({ rooms: [from, to] }) => from !== to && from !== "index")
    .filter(({ rooms: [from, to] }) => !(floors.get(from) < floors.get(to)));
}

const srcOf = (path) => path.slice(0, path.indexOf("/src/"));
