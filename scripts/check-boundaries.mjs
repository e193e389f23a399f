// Who may import whom, between packages and between the rooms of one; no import circles.
// Usage: check-boundaries.mjs [ROOT]
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { arrowsAgainst, circlesOf, readImports, roomOf } from "./source/import-graph.mjs";
import { isTest, readPackages } from "./source/packages.mjs";

const anywhere = (...names) => Object.fromEntries(names.map((name) => [`@rhone/${name}`, [""]]));

/**
 * The packages of ours that each may import, with the folders and files of `src` that alone may do so ("" = all of it).
 * Gateway knows text, coordinator knows sequences, shard-worker knows tensors; no service imports another.
 */
const ALLOWED = {
  "packages/common": anywhere("proto"),
  "packages/kernels": anywhere("common"),
  "packages/ggml": anywhere("common", "kernels"),
  "packages/grammar": anywhere("common"),
  "packages/model": anywhere("common", "ggml"),
  "packages/planner": anywhere("common", "model"),
  "packages/client": anywhere("common"),
  "packages/weights": anywhere("common", "model"),
  "packages/identity": anywhere("common"),
  "packages/bench": anywhere("client", "common", "ggml"),
  "services/gateway": {
    ...anywhere("common", "grammar", "model", "weights"),
    // Beside vocabularies it has what Node lacks of the system: deadlines of connections, memory given back.
    ...{ "@rhone/ggml": ["text/", "http/server.ts", "main.ts"], "@rhone/planner": ["plans/"] },
  },
  "services/coordinator": anywhere("common", "ggml", "model", "planner", "proto", "weights"),
  "services/shard-worker": {
    ...anywhere("common", "ggml", "grammar", "model", "planner", "proto", "weights"),
    "@rhone/bench": ["bench/"],
  },
  // Types alone: the page knows the cluster by what the gateway sends.
  console: anywhere("common"),
  // Of the services it starts, the command line imports the settings alone, which it checks before it starts any.
  cli: {
    ...anywhere("bench", "client", "common", "ggml", "identity", "model", "planner"),
    ...{ "@rhone/coordinator": ["cluster/"], "@rhone/gateway": ["cluster/"], "@rhone/shard-worker": ["cluster/"] },
  },
};

/** Every broken rule, one sentence each. */
export function problemsOf(root, allowed = ALLOWED) {
  const packages = readPackages(root);
  const imports = readImports(root, packages);
  return [
    ...circlesOf(imports).map((circle) => `import circle: ${circle.join(", ")}`),
    ...packages.flatMap((each) => {
      const own = imports.filter(({ from }) => from.startsWith(`${each.folder}/src/`));
      return [
        ...dependencyProblems(each, own, allowed[each.folder]),
        ...layerProblems(each, own),
        ...exportProblems(each),
      ];
    }),
  ];
}

/** What runs in a browser is built into one file, and none of its dependencies is installed with it. */
const isBundled = (folder) => folder === "console";

function dependencyProblems({ folder, manifest }, imports, allowed) {
  if (allowed === undefined) return [`${folder} has no row in the table of scripts/check-boundaries.mjs`];
  const listed = {
    ...(isBundled(folder) && manifest.devDependencies),
    ...manifest.dependencies,
    ...manifest.optionalDependencies,
    ...manifest.peerDependencies,
  };
  return imports.flatMap(({ from, specifier, dependency, target }) => {
    if (target !== null && isTest(target)) return [`${from} imports ${target}, which only tests may`];
    if (specifier.startsWith("import(")) return [`${from} has ${specifier}, which no check can follow`];
    if (specifier.startsWith(".")) {
      const isOwn = posix.join(posix.dirname(from), specifier).startsWith(`${folder}/src/`);
      return isOwn ? [] : [`${from} reaches out of its package's src by ${specifier}`];
    }
    if (dependency === null) return [];
    const problems = [];
    if (!(dependency in listed)) problems.push(`${from} imports ${dependency}, which its package.json does not list`);
    if (!dependency.startsWith("@rhone/")) return problems;
    const only = allowed[dependency];
    if (only === undefined) problems.push(`${from} imports ${dependency}, which ${folder} must not`);
    else if (!only.some((place) => from.startsWith(`${folder}/src/${place}`))) {
      problems.push(`${from} imports ${dependency}, which only ${folder}/src/${only.join(", ")} may`);
    }
    return problems;
  });
}

function layerProblems({ folder, manifest: { layers }, sources }, imports) {
  if (layers === undefined) return [`${folder}: package.json has no "layers"`];
  const named = layers.flat();
  const rooms = new Set(sources.map(roomOf).filter((room) => room !== "index"));
  return [
    ...[...rooms].filter((room) => !named.includes(room)).map((room) => `${folder}: no floor of "layers" has ${room}`),
    ...named
      .filter((room) => !rooms.has(room))
      .map((room) => `${folder}: "layers" names ${room}, which does not exist`),
    ...named
      .filter((room, index) => named.indexOf(room) !== index)
      .map((room) => `${folder}: "layers" names ${room} twice`),
    ...arrowsAgainst(layers, imports)
      .filter(({ rooms: pair }) => pair.every((room) => room === "index" || named.includes(room)))
      .map(({ from, target, rooms: [room, other] }) => `${from} imports ${target}: ${room} is not above ${other}`),
  ];
}

/** What a package exports is compiled from one of its sources, no test helper. */
function exportProblems({ folder, manifest: { exports = {} }, sources }) {
  return Object.values(exports)
    .flatMap((entry) => (typeof entry === "string" ? [entry] : Object.values(entry)))
    .filter((path) => !sources.includes(path.replace(/^\.\/dist\/(.*?)(\.d\.ts|\.js)$/, `${folder}/src/$1.ts`)))
    .map((path) => `${folder}/package.json exports ${path}, which no source compiles to`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = problemsOf(process.argv[2] ?? fileURLToPath(new URL("..", import.meta.url)));
  if (problems.length > 0) {
    console.error(`Imports and layers that break a rule (${problems.length}):\n  ${problems.join("\n  ")}`);
    process.exit(1);
  }
}
