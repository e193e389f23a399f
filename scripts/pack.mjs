// Makes the package that `npx rhone` installs, after `npm run build`: its folder dist/npm and its tarball in dist/.
// It has the layout of the repository, so that files find each other, but of our code and of most libraries only what
// bundles contain. Packages with native files are its dependencies, locked as they are here. It names the repository
// that RHONE_REPOSITORY has the URL of.
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { billOfMaterials } from "./packaging/bill-of-materials.mjs";
import { bundleEntry, EXTERNAL, OPTIONAL, ROOT } from "./packaging/bundle-entry.mjs";
import { BUNDLED_ENTRIES, PLAIN_ENTRIES } from "./packaging/entries.mjs";
import { filesNamedIn } from "./packaging/files-named-in.mjs";
import { lockedClosure } from "./packaging/locked-packages.mjs";
import { noticesOf } from "./packaging/notices.mjs";

const FOLDER = join(ROOT, "dist/npm");
/**
 * Beside the code: our kernels and what they are checked against, the demonstration model, pins of device packages, and
 * the console's page.
 */
const FILES = [
  "LICENSE",
  "NOTICE",
  "README.md",
  "console/dist",
  "models/breeze-q8_0.gguf",
  "packages/ggml/package.json",
  "packages/kernels/native",
  "packages/kernels/prebuilt",
];
const COMMAND = "cli/dist/rhone.bundle.js";
/** The command that needs it is not there without it. */
const OF_SOURCES = "scripts/run-tests.mjs";

const readJson = (path) => JSON.parse(readFileSync(join(ROOT, path), "utf8"));
const write = (path, text) => writeFileSync(join(FOLDER, path), text);
const toJson = (value) => `${JSON.stringify(value, null, 2)}\n`;

/** Bundles the entries and the threads that they start. Returns the paths of the libraries' modules in them. */
async function bundleAll() {
  const libraries = new Set();
  const waiting = new Map([
    ...BUNDLED_ENTRIES.map((entry) => [entry.replace(/\.js$/, ".bundle.js"), entry]),
    ...PLAIN_ENTRIES.map((entry) => [entry, entry]),
  ]);
  for (const [output, entry] of waiting) {
    const file = join(FOLDER, output);
    for (const id of await bundleEntry(entry, file)) libraries.add(id);
    const code = readFileSync(file, "utf8");
    const byName = /resolve\(["'`]@rhone\/[^)]*\)/.exec(code)?.[0];
    if (byName !== undefined) throw new Error(`${output} has ${byName}: name the file by its path from the module.`);
    for (const path of filesNamedIn(code, posix.dirname(output))) {
      // A Map shows what is added to it while it is walked.
      if (path.endsWith(".js")) waiting.set(path, waiting.get(path) ?? path);
      else if (path !== OF_SOURCES && !existsSync(join(FOLDER, path))) throw new Error(`${output} needs ${path}.`);
    }
  }
  return [...libraries];
}

/** As far as the root's package.json says it, and with the dependencies that the bundles leave out. */
function manifest(lock) {
  const { name, version, description, license, type, engines } = readJson("package.json");
  const { optionalDependencies } = readJson("packages/ggml/package.json");
  const { RHONE_REPOSITORY: repository } = process.env;
  const locked = (names) =>
    Object.fromEntries(names.map((each) => [each, lock.packages[`node_modules/${each}`].version]));
  return {
    name,
    version,
    description,
    license,
    ...(repository !== undefined && { repository: { type: "git", url: `git+${repository}.git` } }),
    type,
    engines,
    os: ["linux", "darwin", "win32"],
    cpu: ["x64", "arm64"],
    bin: { rhone: COMMAND },
    // Opens the engine: an install without one fails and says what is missing.
    scripts: { postinstall: `node ${COMMAND} device ls` },
    dependencies: locked(EXTERNAL),
    // The SDK takes OpenTelemetry's API from beside it.
    optionalDependencies: { ...optionalDependencies, ...locked(["@opentelemetry/api", ...OPTIONAL]) },
  };
}

rmSync(FOLDER, { recursive: true, force: true });
for (const path of FILES) {
  mkdirSync(dirname(join(FOLDER, path)), { recursive: true });
  cpSync(join(ROOT, path), join(FOLDER, path), { recursive: true });
}
const libraries = await bundleAll();
chmodSync(join(FOLDER, COMMAND), 0o755); // npm does so where it links it, the image links it by itself
const lock = readJson("package-lock.json");
const own = manifest(lock);
const names = [...Object.keys(own.dependencies), ...Object.keys(own.optionalDependencies)];
write("package.json", toJson(own));
write("npm-shrinkwrap.json", toJson({ ...lock, packages: { "": own, ...lockedClosure(lock.packages, names) } }));
write("THIRD-PARTY-NOTICES.txt", noticesOf(libraries));
write("sbom.cdx.json", toJson(billOfMaterials()));
const tarball = execFileSync(
  "npm",
  ["pack", "--silent", "--ignore-scripts", "--pack-destination", join(ROOT, "dist")],
  {
    cwd: FOLDER,
    encoding: "utf8",
  },
).trim();
console.log(join(ROOT, "dist", tarball));
