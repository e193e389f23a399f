import { existsSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** What a link becomes that leads nowhere on the site: its text stays. */
const EMPTY = { type: "text", tag: "", content: "", attrs: null };
const isFolder = (path) => statSync(join(ROOT, path), { throwIfNoEntry: false })?.isDirectory() ?? false;

/**
 * The address on the site of a link in the page at `page`, or undefined for a file that is no page when `source`, where
 * the repository's files are, is not known. A link to nothing stays as it is: the build refuses it.
 */
export function addressOf(href, page, source) {
  const [path, hash = ""] = href.split(/(?=#)/);
  if (/^[a-z]+:/.test(path) || path.startsWith("#") || path === "") return href;
  const target = posix.join(posix.dirname(page), path);
  if (path.endsWith("README.md")) return `${path.slice(0, -"README.md".length)}index.md${hash}`;
  if (path.endsWith(".md")) return href;
  if (isFolder(target) && existsSync(join(ROOT, target, "README.md"))) return `${posix.join(path, "index.md")}${hash}`;
  if (!existsSync(join(ROOT, target))) return href;
  return source === undefined ? undefined : `${source}${target}${hash}`;
}

/** A plugin of markdown-it. */
export function links(md, source) {
  md.core.ruler.push("links", ({ tokens, env }) => {
    for (const { children } of tokens) {
      let isText = false;
      for (const token of children ?? []) {
        if (token.type === "link_open") {
          const address = addressOf(token.attrGet("href"), env.relativePath, source);
          isText = address === undefined;
          if (!isText) token.attrSet("href", address);
        }
        if (isText && token.type.startsWith("link_")) Object.assign(token, EMPTY);
      }
    }
  });
}
