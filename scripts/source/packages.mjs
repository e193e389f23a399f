// The packages of a checkout and their TypeScript files.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {object} Package
 * @property {string} folder from the root, for example `services/gateway`
 * @property {Record<string, any>} manifest its package.json
 * @property {readonly string[]} sources files of `src` that ship, as paths from the root
 * @property {readonly string[]} tests files of `src` that only tests use, as paths from the root
 */

/** Whether only tests use the file: `x.test.ts`, anything in a folder `testing/`, and the older `x.fixture.ts`. */
export const isTest = (path) => /\.(test|fixture)\.tsx?$|(^|\/)testing\//.test(path);

/** Packages with TypeScript sources, in alphabetical order. @returns {readonly Package[]} */
export function readPackages(root) {
  return ["cli", "console", ...subfolders(root, "packages"), ...subfolders(root, "services")]
    .filter((folder) => existsSync(join(root, folder, "package.json")) && existsSync(join(root, folder, "src")))
    .map((folder) => {
      const files = typescriptFiles(root, `${folder}/src`);
      const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
      return { folder, manifest, sources: files.filter((path) => !isTest(path)), tests: files.filter(isTest) };
    });
}

const subfolders = (root, folder) =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .sort()
        .map((name) => `${folder}/${name}`)
    : [];

/** A folder's TypeScript files as paths from the root, in alphabetical order. */
export function typescriptFiles(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true })
    .map((name) => `${folder}/${name.replaceAll("\\", "/")}`)
    .filter((path) => /\.tsx?$/.test(path) && !/\.d\.ts$|\/(node_modules|dist|generated)\//.test(path))
    .sort();
}
