import type { FastifySwaggerUiOptions } from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";

/** A river between two banks. */
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32">
<rect width="32" height="32" rx="7" fill="#123047"/>
<path d="M6 12c5-5 8 5 13 0s6-2 7-1M6 20c5-5 8 5 13 0s6-2 7-1" fill="none" stroke="#7fd1e8" stroke-width="3" stroke-linecap="round"/>
</svg>`;

const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 32" width="150" height="32">${ICON}
<text x="42" y="23" font-family="system-ui,sans-serif" font-size="21" font-weight="600" fill="#fff">Rhone</text></svg>`;

const STYLE = `
.swagger-ui .topbar { background: #123047; padding: 8px 0; }
.swagger-ui .topbar .download-url-wrapper { display: none; }
.swagger-ui .info { margin: 28px 0; }
.swagger-ui .info .title small { background: #2b7a99; }
.swagger-ui .info .title small.version-stamp { background: #123047; }
.swagger-ui .scheme-container { box-shadow: none; border-bottom: 1px solid #d7e0e6; padding: 0 0 20px; }
.swagger-ui .opblock.opblock-get .opblock-summary-method { background: #2b7a99; }
.swagger-ui .opblock.opblock-post .opblock-summary-method { background: #123047; }
.swagger-ui .opblock.opblock-get { background: #f3f9fb; border-color: #2b7a99; }
.swagger-ui .opblock.opblock-post { background: #f2f5f8; border-color: #123047; }
.swagger-ui .btn.execute { background: #2b7a99; border-color: #2b7a99; }
.swagger-ui .btn.authorize { color: #2b7a99; border-color: #2b7a99; }
.swagger-ui .btn.authorize svg { fill: #2b7a99; }
`;

/** Its own files and its own server, to which it sends requests and keys, and no page around it that leads clicks. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The page to try requests, as Rhone's own. */
export const DRESS: FastifySwaggerUiOptions = {
  staticCSP: POLICY,
  theme: {
    title: "Rhone: the API",
    css: [{ filename: "rhone.css", content: STYLE }],
    favicon: [{ filename: "rhone.svg", rel: "icon", type: "image/svg+xml", sizes: "any", content: ICON }],
  },
  logo: { type: "image/svg+xml", content: LOGO },
  uiConfig: { docExpansion: "list", defaultModelsExpandDepth: -1, displayRequestDuration: true, tryItOutEnabled: true },
};

const LINKS: readonly { readonly path: string; readonly about: string }[] = [
  { path: "/console", about: "the cluster as it runs, chats, batches, plans, keys and requests" },
  { path: "/docs", about: "every endpoint, with a form to try it" },
  { path: "/openapi.json", about: "the same for programs: an OpenAPI 3.1 document" },
  { path: "/v1/models", about: "the models that are served" },
  { path: "/ready", about: "whether requests are taken now" },
  { path: "/status", about: "workers, memory, sequences, tokens" },
  { path: "/metrics", about: "metrics in the Prometheus text format" },
];

/** GET /: what this server is, with links to those of its pages that it has. */
export function home(app: FastifyInstance): void {
  const isThere = (path: string): boolean => app.findRoute({ method: "GET", url: path }) !== null;
  app.get("/", async (_request, reply) =>
    reply
      .type("text/html; charset=utf-8")
      .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:")
      .send(homePage(LINKS.filter(({ path }) => isThere(path)))),
  );
}

function homePage(links: typeof LINKS): string {
  const items = links.map(({ path, about }) => `<li><a href="${path}">${path}</a> <span>${about}</span></li>`);
  const icon = `data:image/svg+xml;base64,${Buffer.from(ICON).toString("base64")}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Rhone</title>
<link rel="icon" href="${icon}">
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1.5rem; }
h1 { display: flex; align-items: center; gap: 0.7rem; font-size: 1.6rem; }
ul { list-style: none; padding: 0; }
li { padding: 0.25rem 0; }
a { display: inline-block; min-width: 8.5rem; color: #2b7a99; font-family: ui-monospace, monospace; }
span { opacity: 0.75; }
</style>
</head>
<body>
<h1><img src="${icon}" alt="" width="32" height="32">Rhone</h1>
<p>The gateway of one or more models. The base URL of a client of OpenAI is this address followed by <code>/v1</code>, of a client
of Mistral or Anthropic this address alone.</p>
<ul>
${items.join("\n")}
</ul>
</body>
</html>
`;
}
