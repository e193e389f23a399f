// Writes the tables of docs/metrics.md and docs/settings.md from the code that was built. Usage: write-docs.mjs
// A table is what is between `<!-- table NAME -->` and `<!-- end -->`; the rest of a page is written by hand, and so is
// the last column of a metrics table, which is taken over from the page.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { processRegistry, settingDescriptions } from "../packages/common/dist/index.js";

const SERVICES = ["gateway", "coordinator", "shard-worker"];
const built = (path) => import(new URL(`../${path}`, import.meta.url).href);
const pathOf = (page) => fileURLToPath(new URL(`../docs/${page}.md`, import.meta.url));

/** The pages, each with a function that makes its tables, by name, from the page as it is. */
export const PAGES = { metrics: metricsTables, settings: settingsTables };

/** A page as it is, and as it has to be. */
export async function pageOf(name) {
  const current = readFileSync(pathOf(name), "utf8");
  return { current, expected: fillTables(current, await PAGES[name](current)) };
}

/** Puts `tables` into the places of a page that are named for them. Throws for a place without a table. */
export function fillTables(page, tables) {
  return page.replace(/(<!-- table (\S+) -->\n)[\s\S]*?(<!-- end -->)/g, (_, begin, name, end) => {
    if (tables[name] === undefined) throw new Error(`There is no table ${name}`);
    return `${begin}\n${tables[name]}\n\n${end}`;
  });
}

async function metricsTables(page) {
  const advice = adviceOf(page);
  const tables = { process: metricsTable(processRegistry.getMetricsAsArray(), advice) };
  for (const service of SERVICES) {
    const { createMetrics } = await built(`services/${service}/dist/metrics.js`);
    tables[service] = metricsTable(createMetrics().registry.getMetricsAsArray(), advice);
  }
  tables.vllm = await vllmTable();
  return tables;
}

/** The names of vLLM's that a gateway serves, from a page of them. */
async function vllmTable() {
  const { createMetrics } = await built("services/gateway/dist/metrics.js");
  const { VllmNames } = await built("services/gateway/dist/monitoring/vllm-names.js");
  const page = await new VllmNames(createMetrics()).page([]);
  const families = page.matchAll(/^# HELP (\S+) (.*)\n# TYPE \S+ (\S+)$/gm);
  const rows = [...families].map(([, name, help, type]) => {
    const ours = /^As (\w+): /.exec(help)?.[1];
    return [`\`${name}\``, type, ours === undefined ? sentence(help) : `\`${ours}\``];
  });
  return table(["vLLM's name", "Type", "What it is here"], rows);
}

/** The last column of a page's tables, by metric. */
export function adviceOf(page) {
  const tables = [...page.matchAll(/<!-- table \S+ -->[\s\S]*?<!-- end -->/g)].join("\n");
  const rows = tables.matchAll(/^\| `(\w+)` .*\| ([^|]*?) *\|$/gm);
  return new Map([...rows].map(([, metric, text]) => [metric, text]));
}

/** `metrics` as prom-client has them; `advice` by name. */
export function metricsTable(metrics, advice) {
  const rows = metrics
    .filter(({ name }) => name.startsWith("rhone_"))
    .map(({ name, type, help, labelNames }) => {
      const labels = labelNames.filter((label) => label !== "le").map((label) => `\`${label}\``);
      return [`\`${name}\``, type, labels.join(", "), unitOf(name), sentence(help), advice.get(name) ?? ""];
    });
  return table(["Metric", "Type", "Labels", "Unit", "What it says", "When to worry"], rows);
}

const unitOf = (name) => /_(seconds|bytes|ratio)(_|$)/.exec(name)?.[1] ?? "count";
const sentence = (text) => (text.endsWith(".") ? text : `${text}.`);

async function settingsTables() {
  const tables = {};
  for (const service of SERVICES) {
    const { [`${camelCase(service)}Settings`]: settings } = await built(`services/${service}/dist/config.js`);
    tables[service] = settingsTable(settingDescriptions(settings));
  }
  const { cliSettings } = await built("cli/dist/config.js");
  tables.rhone = settingsTable(settingDescriptions(cliSettings), ["Variable", "Default", "Range", "Meaning"]);
  return tables;
}

const camelCase = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());

export function settingsTable(settings, columns = ["Flag", "Variable", "Default", "Range", "Meaning"]) {
  const rows = settings.map(({ flag, env, default: value, range, doc }) => {
    const cells = { Flag: `\`${flag}\``, Variable: `\`${env}\``, Default: value, Range: range, Meaning: doc };
    return columns.map((column) => cells[column]);
  });
  return table(columns, rows);
}

/** A Markdown table with columns of one width, as the formatter wants it. */
function table(head, rows) {
  const cells = [head, ...rows].map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(cells[0]), rule, ...cells.slice(1).map(line)].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const name of Object.keys(PAGES)) writeFileSync(pathOf(name), (await pageOf(name)).expected);
}
