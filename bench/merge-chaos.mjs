// Prints one table of several reports of `rhone bench chaos --out`, as Markdown.
// Usage: node bench/merge-chaos.mjs FILE...
import { readFileSync } from "node:fs";
import { chaosTables, mergeFigures } from "@rhone/bench";

const reports = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, "utf8")));
// A pair's name has a bar in it: part worker-1 | worker-2.
const row = (cells) => `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
for (const block of chaosTables(mergeFigures(reports.map(({ result }) => result)))) {
  if (typeof block === "string") console.log(`${block}\n`);
  else console.log([row(block.heading), row(block.heading.map(() => "---")), ...block.rows.map(row), ""].join("\n"));
}
