// The chart can show only files of its own folder, so it has copies of the rules and dashboards of deploy/monitoring.
// node deploy/helm/check/monitoring.mjs writes them; a test compares them.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const DEPLOY = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const SOURCE = join(DEPLOY, "monitoring");
const COPY = join(DEPLOY, "helm", "rhone", "monitoring");
const KINDS = { rules: ".yml", dashboards: ".json" };

/** Text by the path below the folder. */
function filesIn(folder) {
  const files = {};
  for (const [kind, extension] of Object.entries(KINDS)) {
    const room = join(folder, kind);
    const names = existsSync(room) ? readdirSync(room).filter((name) => name.endsWith(extension)) : [];
    for (const name of names) files[`${kind}/${name}`] = readFileSync(join(room, name), "utf8");
  }
  return files;
}

export const monitoringFiles = () => filesIn(SOURCE);
export const copiedFiles = () => filesIn(COPY);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(COPY, { recursive: true, force: true });
  for (const path of Object.keys(monitoringFiles())) {
    mkdirSync(dirname(join(COPY, path)), { recursive: true });
    cpSync(join(SOURCE, path), join(COPY, path));
  }
}
