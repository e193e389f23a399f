// Parses with oxc, which rolldown carries: the npm package of TypeScript 7 has no in-process parser, only a client.
import { parseSync } from "rolldown/utils";

/** A file's `program` (ESTree with TypeScript's nodes), `module` (its imports and exports) and `comments`. */
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
