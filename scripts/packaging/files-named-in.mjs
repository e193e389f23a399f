import { posix } from "node:path";

/** As bundles name files of our modules: relative to the module, and that relative to the bundle. */
const NAMED = /new URL\("(\.[^"]+)", new URL\("([^"]+)", import\.meta\.url\)\.href\)/g;

/** Paths from the root of the files, and folders, that the code of a bundle in `folder` names. */
export const filesNamedIn = (code, folder) => [
  ...new Set([...code.matchAll(NAMED)].map(([, path, module]) => posix.join(folder, posix.dirname(module), path))),
];
