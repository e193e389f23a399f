import { RhoneError } from "@rhone/common";
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import leven from "leven";
import { cut, RequestError } from "../request-error.js";
import { timeLeft } from "../turns.js";
import { whyAbsent } from "./absent-endpoints.js";
import { OPERATIONS } from "./openapi/operations.js";

/** The methods of the API's endpoints. */
export const METHODS: readonly HTTPMethods[] = ["GET", "POST", "DELETE"];

/** Characters of a path that a refusal repeats. */
const LONGEST_PATH = 200;
/** Characters of a path that are compared. Comparing 200 with every path took 8 ms. */
const LONGEST_COMPARED = 100;

/** Answers OPTIONS with what a path takes, and refuses what no route takes. */
export function unrouted(app: FastifyInstance): void {
  const takes = (path: string) => {
    const own = methodsOf(path);
    const methods = METHODS.filter(
      (method) => own?.has(method) !== false && app.findRoute({ method, url: path }) !== null,
    );
    return methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
  };
  // Before CORS, which takes every OPTIONS for a browser's question about another request.
  app.addHook("onRequest", async (request, reply) => {
    if (request.method !== "OPTIONS" || request.headers["access-control-request-method"] !== undefined) return;
    // Many may come here at once, behind the look-ups of their keys, and each compares its path with all that exist.
    await timeLeft();
    const path = pathOf(request);
    const allowed = path === "*" ? [...METHODS, "HEAD"] : takes(path);
    if (allowed.length === 0) refuse(request, reply, allowed);
    return reply
      .header("allow", [...allowed, "OPTIONS"].join(", "))
      .code(204)
      .send();
  });
  const refuseUnrouted = async (request: FastifyRequest, reply: FastifyReply) => {
    await timeLeft();
    refuse(request, reply, takes(pathOf(request)));
  };
  app.setNotFoundHandler(refuseUnrouted);
  // Behind CORS, and before the body is looked at, which is refused where no content type says what it is.
  app.addHook("preParsing", async (request, reply) => {
    const method = request.method === "HEAD" ? "GET" : request.method;
    if (request.is404 || methodsOf(pathOf(request))?.has(method) === false) await refuseUnrouted(request, reply);
  });
}

/** The methods of the endpoints without an id in their path, by path. */
const METHODS_OF = new Map<string, Set<string>>();
for (const key of Object.keys(OPERATIONS)) {
  const [method = "", url = ""] = key.split(" ");
  if (!url.includes(":")) METHODS_OF.set(url, new Set([...(METHODS_OF.get(url) ?? []), method]));
}

/** Undefined for other paths. The route of /v1/responses/{id} would take GET /v1/responses/input_tokens. */
const methodsOf = (path: string): ReadonlySet<string> | undefined => METHODS_OF.get(plain(path));

/** Without slashes too many. */
const plain = (path: string): string => path.replace(/\/+/g, "/").replace(/(?<=.)\/$/, "");

const pathOf = ({ url }: FastifyRequest): string => url.split("?")[0] ?? "/";

function refuse(request: FastifyRequest, reply: FastifyReply, allowed: readonly string[]): never {
  const path = pathOf(request);
  const shown = cut(path, LONGEST_PATH);
  const why = whyAbsent(plain(path.slice(0, LONGEST_COMPARED)));
  if (why !== undefined) {
    const message = `${shown} is not an endpoint of Rhone: ${why}. /docs lists all endpoints.`;
    throw new RequestError("NOT_FOUND", message, { apiCode: "unsupported_endpoint" });
  }
  if (allowed.length === 0) {
    const near = nearest(path.slice(0, LONGEST_COMPARED));
    const nearby = `the nearest endpoint is ${near}, and /docs lists all`;
    const advice = near === undefined ? "/docs lists the endpoints" : nearby;
    throw new RhoneError("NOT_FOUND", `There is nothing at ${shown}; ${advice}.`);
  }
  reply.header("allow", [...allowed, "OPTIONS"].join(", "));
  throw new RhoneError("METHOD_NOT_ALLOWED", `${shown} takes ${allowed.join(", ")}, not ${request.method}.`);
}

/** The endpoint whose path is most like this one, with its method; undefined when half of it differs. */
function nearest(path: string): string | undefined {
  const parts = path.split("/");
  const likes = Object.entries(OPERATIONS).map(([key, { path: documented }]) => {
    const [method = "", url = ""] = key.split(" ");
    const pattern = documented ?? url;
    const filled = pattern.split("/").map((part, index) => (part.startsWith(":") ? (parts[index] ?? part) : part));
    const length = Math.max(path.length, pattern.length);
    // An id in the path may be one, or the name of another endpoint: it is half a difference.
    const ids = filled.filter((_, index) => pattern.split("/")[index]?.startsWith(":")).join("").length;
    const differs = difference(path, filled.join("/"), length) + ids / 2 / length;
    return { differs, name: `${method} ${pattern.replace(/:(\w+)/g, "{$1}")}` };
  });
  const [best] = likes.toSorted((a, b) => a.differs - b.differs);
  return best !== undefined && best.differs < 0.5 ? best.name : undefined;
}

/** The part of `length` in which two texts differ; where it is half or more, how much more is not looked at. */
function difference(a: string, b: string, length: number): number {
  const half = Math.ceil(length / 2);
  if (Math.abs(a.length - b.length) >= half) return 1;
  return leven(a, b, { maxDistance: half }) / length;
}
