import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const INDEX = "docs/README.md";

const capitalized = (word) => `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`;

/** Pages that a part of the index links to, in its order. */
const linkedIn = (text) =>
  [...text.matchAll(/\]\(([^)#:]+\.md)(?:#[^)]*)?\)/g)].map(([, path]) => posix.join(posix.dirname(INDEX), path));

/**
 * A group for each heading of docs/README.md, with the pages that it names, each where it comes first. Those of `pages`
 * in docs/ that it does not name are in a group of their folder's name, so that a new page appears by itself. `read`
 * gives a page's text.
 */
export function sidebarOf(pages, read) {
  const shown = new Set([INDEX]);
  const unseen = (found) => found.filter((page) => !shown.has(page) && shown.add(page));
  const [, ...sections] = read(INDEX).split(/^## /m);
  const groups = sections.map((section) => ({
    text: section.slice(0, section.indexOf("\n")),
    pages: unseen(linkedIn(section)),
  }));
  const others = unseen(pages.filter((page) => page.startsWith("docs/")).sort());
  // Folders before the rest of docs/ itself; a folder's README is its first page.
  for (const folder of [...new Set(others.map((page) => posix.dirname(page)))].sort().reverse()) {
    const text = folder === "docs" ? "More" : capitalized(posix.basename(folder));
    const own = others.filter((page) => posix.dirname(page) === folder);
    groups.push({ text, pages: own.sort((a, b) => Number(b.endsWith("README.md")) - Number(a.endsWith("README.md"))) });
  }
  const itemOf = (page) => ({
    text: /^# (.*)$/m.exec(read(page))?.[1] ?? page,
    link: `/${page.replace(/(README)?\.md$/, "")}`,
  });
  return groups
    .filter((group) => group.pages.length > 0)
    .map((group) => ({ text: group.text, collapsed: false, items: group.pages.map(itemOf) }));
}

/** `sidebarOf` the pages of this repository. */
export function sidebar() {
  const pages = readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
    .map((path) => posix.join("docs", path.replaceAll("\\", "/")))
    .filter((path) => path.endsWith(".md") && !path.includes(".vitepress/"));
  return sidebarOf(pages, (page) => readFileSync(join(ROOT, page), "utf8"));
}
