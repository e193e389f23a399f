import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const pages = execFileSync("git", ["ls-files", "*.md"], { cwd: root, encoding: "utf8" }).trimEnd().split("\n");
const read = (page: string): string => readFileSync(join(root, page), "utf8");

/** A heading's anchor, as the forges make it. */
const anchorOf = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\- _]/gu, "")
    .trim()
    .replaceAll(" ", "-");

const anchorsOf = (page: string): ReadonlySet<string> =>
  new Set([...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading)));

/** The links of a page to files of the repository, as [file, anchor]. */
function linksOf(page: string): readonly (readonly [file: string, anchor: string])[] {
  const text = read(page).replace(/```[\s\S]*?```/g, "");
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return targets
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => {
      const [path = "", anchor = ""] = target.split("#");
      return [path === "" ? page : relative(root, join(root, dirname(page), path)), anchor] as const;
    });
}

test.each(pages)("%s: its links lead somewhere", (page) => {
  const broken = linksOf(page).filter(
    ([file, anchor]) => !existsSync(join(root, file)) || (anchor !== "" && !anchorsOf(file).has(anchor)),
  );
  expect(broken).toEqual([]);
});

// The changelog names files that were; docs/adding-*.md name files to be added.
test.each(pages.filter((page) => !/^CHANGELOG|adding-/.test(page)))("%s: the files that it names exist", (page) => {
  const named = [...read(page).matchAll(/`((?:packages|services|cli|proto|scripts|test|docs)\/[\w./-]+\.\w+)`/g)];
  expect(named.map(([, file = ""]) => file).filter((file) => !existsSync(join(root, file)))).toEqual([]);
});

// Mermaid takes it for the end of a line, and refuses to draw what follows it.
test.each(pages)("%s: its sequence diagrams have no semicolon", (page) => {
  const diagrams = [...read(page).matchAll(/```mermaid\nsequenceDiagram\n([\s\S]*?)```/g)];
  expect(diagrams.flatMap(([, text = ""]) => text.split("\n").filter((line) => line.includes(";")))).toEqual([]);
});

test("docs/README.md names every page of docs/, and the README of a folder there the pages beside it", () => {
  const indexOf = (page: string): string => {
    const own = join(dirname(page), "README.md");
    return own !== page && pages.includes(own) ? own : "docs/README.md";
  };
  const all = pages.filter((page) => page.startsWith("docs/") && page !== "docs/README.md");
  const unnamed = all.filter((page) => !linksOf(indexOf(page)).some(([file]) => file === page));
  expect(unnamed).toEqual([]);
});

test("DECISIONS/README.md lists the decisions of every topic in their order, superseded ones struck through", () => {
  const listed = read("DECISIONS/README.md").split("\n## ").slice(1);
  for (const section of listed) {
    const page = `DECISIONS/${/\((.*?)\)/.exec(section)?.[1]}`;
    const entries = read(page).split("\n## ").slice(1);
    const expected = entries.map((entry) => {
      const [date, title] = [entry.slice(0, 10), entry.slice(11, entry.indexOf("\n"))];
      return `- ${date} ${/^_Superseded by/m.test(entry) ? `~~${title}~~` : title}`;
    });
    expect(section.split("\n").filter((line) => line.startsWith("- "))).toEqual(expected);
    expect(entries.map((entry) => entry.slice(0, 10))).toEqual(
      entries
        .map((entry) => entry.slice(0, 10))
        .toSorted()
        .reverse(),
    );
  }
  const topics = pages.filter((page) => page.startsWith("DECISIONS/") && page !== "DECISIONS/README.md");
  expect(listed).toHaveLength(topics.length);
});
