import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { type Logger, RhoneError } from "@rhone/common";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";

/** Nothing but the gateway's own files and answers, no code in the page, and no page around it. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
} as const;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** The page itself, whose name stays. The names of the others change with their content. */
const INDEX = "index.html";
const FOR_EVER = "public, max-age=31536000, immutable";
const cachingOf = (path: string): string => (path === INDEX ? "no-cache" : FOR_EVER);

interface Page {
  readonly type: string;
  readonly plain: Buffer;
  readonly zipped: Buffer;
  readonly tag: string;
}

/** The files that the console's build wrote, by their path below it; null where it was not built. */
function readPages(): ReadonlyMap<string, Page> | null {
  try {
    const folder = fileURLToPath(new URL("../../../../console/dist", import.meta.url));
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => extname(name) in TYPES);
    const pages = names.map((name) => [name.replaceAll("\\", "/"), pageOf(join(folder, name))] as const);
    return new Map(pages);
  } catch {
    return null;
  }
}

function pageOf(path: string): Page {
  const plain = readFileSync(path);
  const tag = `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  return { type: TYPES[extname(path)] ?? "", plain, zipped: gzipSync(plain, { level: 9 }), tag };
}

/**
 * GET /console/: the console's files, from memory. They hold no data: those come from the API, with the caller's key.
 */
export function consolePages(app: FastifyInstance, { logger }: { readonly logger: Logger }): void {
  const pages = readPages();
  if (pages?.has(INDEX) !== true) {
    logger.warn("the console was not built (npm run build): /console is not served");
    return;
  }
  app.get("/console", async (request, reply) => {
    // The paths in the page are relative, so that it works behind a proxy's prefix.
    if (!/\/(\?|$)/.test(request.url)) return reply.redirect("console/", 308);
    return send(request, reply, pages.get(INDEX), cachingOf(INDEX));
  });
  app.get<{ readonly Params: { readonly "*": string } }>("/console/*", async (request, reply) => {
    const path = request.params["*"];
    const page = pages.get(path);
    if (page === undefined) throw new RhoneError("NOT_FOUND", "The console has no such file; it begins at /console/.");
    return send(request, reply, page, cachingOf(path));
  });
}

function send(request: FastifyRequest, reply: FastifyReply, page: Page | undefined, caching: string): FastifyReply {
  if (page === undefined) return reply;
  reply.headers({ ...HEADERS, "cache-control": caching, etag: page.tag, vary: "accept-encoding" });
  if (request.headers["if-none-match"] === page.tag) return reply.code(304).send();
  const zips = /\bgzip\b/.test(String(request.headers["accept-encoding"] ?? ""));
  if (zips) reply.header("content-encoding", "gzip");
  return reply.type(page.type).send(zips ? page.zipped : page.plain);
}
