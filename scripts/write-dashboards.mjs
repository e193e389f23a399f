// Writes deploy/monitoring/dashboards/*.json. Usage: write-dashboards.mjs
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { cluster } from "./dashboards/cluster.mjs";
import { pipeline } from "./dashboards/pipeline.mjs";
import { requests } from "./dashboards/requests.mjs";

/** By the names of their files. */
export const DASHBOARDS = { cluster, pipeline, requests };

const pathOf = (name) => fileURLToPath(new URL(`../deploy/monitoring/dashboards/${name}.json`, import.meta.url));
export const textOf = (name) => `${JSON.stringify(DASHBOARDS[name], null, 2)}\n`;
export const writtenText = (name) => readFileSync(pathOf(name), "utf8");

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of Object.keys(DASHBOARDS)) writeFileSync(pathOf(name), textOf(name));
}
