// Writes what each process and thread of a cluster runs into one file beside its main file: main.js -> main.bundle.js.
// Node reads 600 to 800 files for a process otherwise, and that is a third of what starting a cluster costs.
import { posix } from "node:path";
import { bundleEntry, ROOT } from "./packaging/bundle-entry.mjs";
import { BUNDLED_ENTRIES } from "./packaging/entries.mjs";

await Promise.all(
  BUNDLED_ENTRIES.map((entry) => bundleEntry(entry, posix.join(ROOT, entry.replace(/\.js$/, ".bundle.js")))),
);
