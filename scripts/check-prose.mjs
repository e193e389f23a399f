// Prose: comments and Markdown keep to 120 columns, and neither they nor strings use the phrases that we replace.
// Usage: check-prose.mjs [FILE OR FOLDER ...]
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse, walk } from "./source/syntax.mjs";

const MOST_COLUMNS = 120;

/** Phrases that readers stumble over, and what to write instead. A space matches a line break too. */
const PHRASES = [
  ["so many", "the number: N, that many, this many"],
  ["(for|of) so long", "for this long"],
  ["anew", "again, or from scratch"],
  ["once more", "again"],
  ["who(so)?ever", "the caller, the client, …"],
  ["stands?(?! (for|in for|alone|still))", "is, or are kept"],
  ["lies?(?! (about|outside|between|within))", "is, or are kept"],
  ["that of", "the thing's name"],
  ["of their coming", "of arrival"],
  ["is another", "changes, or differs"],
  ["unheeded", "ignored"],
  ["thought over", "reconsidered"],
  ["gone on with", "continued"],
  ["such (is|are|of)", "the thing's name"],
  ["(there|where|here)(of|upon|to)", "plainer words"],
].map(([phrase, instead]) => ({ pattern: new RegExp(`\\b${phrase.replaceAll(" ", "\\s+")}\\b`, "gi"), instead }));

/** Texts that people do not write here, or that quote others. */
const SKIPPED =
  /^(models|bench\/results|test\/fixtures|proto\/generated)\/|(^|\/)(node_modules|dist)\/|check-prose(\.test)?\.mjs$/;

/** One line per finding: `path:line: what`. */
export function findingsOf(root, paths) {
  return paths.flatMap((path) => {
    const text = readFileSync(join(root, path), "utf8");
    const { passages, lines } = path.endsWith(".md") ? markdown(text) : code(path, text);
    const long = lines.filter(({ content }) => content.length > MOST_COLUMNS);
    return [
      ...long.map(({ line, content }) => `${path}:${line}: ${content.length} columns; at most ${MOST_COLUMNS}`),
      ...passages.flatMap((passage) => phrasesIn(passage).map((found) => `${path}:${found}`)),
    ];
  });
}

/** Files that git tracks or would track. */
function writtenFiles(root) {
  const args = [
    "ls-files",
    "--cached",
    "--others",
    "--exclude-standard",
    "--deduplicate",
    "*.ts",
    "*.tsx",
    "*.mjs",
    "*.md",
  ];
  const paths = execFileSync("git", args, { cwd: root, encoding: "utf8" }).split("\n");
  return paths.filter((path) => path !== "" && !SKIPPED.test(path) && existsSync(join(root, path)));
}

/** `line` is the first line of `text`. */
function phrasesIn({ text, line }) {
  const flat = text.replace(/\n[ \t]*\*/g, (gap) => " ".repeat(gap.length));
  return PHRASES.flatMap(({ pattern, instead }) =>
    [...flat.matchAll(pattern)].map(({ 0: found, index }) => {
      const at = line + text.slice(0, index).split("\n").length - 1;
      return `${at}: "${found.replace(/\s+/g, " ")}"; say ${instead}`;
    }),
  );
}

/** Comments and strings, and the lines of comments: only they can always be broken. */
function code(path, text) {
  const { program, comments } = parse(path, text);
  const lineOf = (offset) => text.slice(0, offset).split("\n").length;
  const passages = comments.map(({ value, start }) => ({ text: value, line: lineOf(start) }));
  const commented = new Set(comments.flatMap(({ start, end }) => range(lineOf(start), lineOf(end))));
  walk(program, ({ type, value, start }) => {
    const string = type === "TemplateElement" ? value.cooked : type === "Literal" ? value : null;
    if (typeof string === "string") passages.push({ text: string, line: lineOf(start) });
  });
  return { passages, lines: numbered(text).filter(({ line }) => commented.has(line)) };
}

/** All but code, and the lines but those of tables and long links. */
function markdown(text) {
  const prose = text.replace(/^( *)(```|~~~)[\s\S]*?^\1\2/gm, (block) => block.replace(/[^\n]/g, ""));
  const lines = numbered(prose).filter(({ content }) => !/^\s*\||^ {4}|https?:\/\/\S{40}/.test(content));
  return { passages: [{ text: prose, line: 1 }], lines };
}

const numbered = (text) => text.split("\n").map((content, index) => ({ line: index + 1, content }));
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const places = process.argv.slice(2).map((place) => place.replace(/\/$/, ""));
  const isAsked = (path) => places.length === 0 || places.some((place) => `${path}/`.startsWith(`${place}/`));
  const findings = findingsOf(root, writtenFiles(root).filter(isAsked));
  if (findings.length > 0) {
    console.error(`Prose to mend (${findings.length}):\n  ${findings.join("\n  ")}`);
    process.exit(1);
  }
}
