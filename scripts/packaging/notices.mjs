import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The folder of the package that a module belongs to. */
const packageOf = (id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)[0];
const IS_LICENCE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

function noticeOf(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const texts = readdirSync(folder)
    .filter((file) => IS_LICENCE.test(file))
    .map((file) => readFileSync(join(folder, file), "utf8").trim());
  return [`${name} ${version} (${license ?? "see its text"})`, ...texts].join("\n\n");
}

/** Name, version, licence and its text of each package that the modules in the bundles are from, by name. */
export function noticesOf(modules) {
  const notices = [...new Set(modules.map(packageOf))].map(noticeOf).sort();
  const about = "The JavaScript files of this package contain code of these packages, under their licences.";
  return `${[about, ...new Set(notices)].join(`\n\n${"-".repeat(78)}\n\n`)}\n`;
}
