// Parsing by oxc, which rolldown carries. The npm package of TypeScript 7 has no parser in process, only a server's client.
import { parseSync } from "rolldown/utils";

/** `program` (an ESTree with TypeScript's nodes), `module` (static and dynamic imports) and `comments` of a file's text. */
export function parse(path, text) {
  const parsed = parseSync(path, text);
  if (parsed.errors.length > 0) throw new Error(`${path}: ${parsed.errors[0].message}`);
  return parsed;
}

/** Calls `visit(node, parent)` for every node below `node`, parents first. */
export function walk(node, visit, parent = null) {
  if (Array.isArray(node)) {
    for (const item of node) walk(item, visit, parent);
  } else if (typeof node?.type === "string") {
    visit(node, parent);
    for (const [key, child] of Object.entries(node)) {
      if (key !== "parent" && child !== null && typeof child === "object") walk(child, visit, node);
    }
  }
}
