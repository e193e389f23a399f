import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { VERSION } from "@rhone/common";
import type { FastifyInstance, FastifySchema } from "fastify";
import { z } from "zod";
import { isGeneration, OPERATIONS, type Operation } from "./operations.js";
import { DRESS, home } from "./pages.js";
import { errorSchema, messagesErrorSchema } from "./response-schemas.js";

const PREFIX = "/docs";

const INFO = {
  title: "Rhone",
  version: VERSION,
  description:
    "The HTTP APIs of OpenAI, Mistral and Anthropic for models that run on several machines. Point a client of any of " +
    "them at this server. Unsupported fields that would change an answer are refused; unknown fields are ignored.",
};

const TAGS: readonly { readonly name: Operation["tag"]; readonly description: string }[] = [
  { name: "generation", description: "Chats, completions and embeddings." },
  { name: "responses", description: "Stored responses (OpenAI's Responses API)." },
  { name: "streams", description: "Streams that outlive their connection (`stream_options.resumable`)." },
  { name: "batches", description: "Files of requests that run in the background." },
  { name: "tokenizer", description: "Text to token ids and back." },
  { name: "models", description: "The models that are served." },
  { name: "cluster", description: "The cluster as the console at /console shows it." },
  { name: "keys", description: "API keys, for callers whose own was made with --admin." },
  { name: "operations", description: "Health, metrics and status. No API key is needed." },
];

const SECURITY_SCHEMES = {
  bearer: { type: "http", scheme: "bearer", description: "An API key that `rhone keys create` printed." },
  apiKey: { type: "apiKey", in: "header", name: "x-api-key", description: "The same key in another header." },
} as const;

/**
 * Serves the OpenAPI document at /openapi.json and a page to try it at /docs, from the schemas that read requests, and
 * at / a page that links to them.
 */
export function openapi(app: FastifyInstance, { requiresKeys }: { readonly requiresKeys: boolean }): void {
  app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: INFO,
      tags: [...TAGS],
      components: { securitySchemes: SECURITY_SCHEMES },
    },
    transform: ({ schema, url, route }) => {
      const methods = [route.method].flat();
      const operation = methods.map((method) => OPERATIONS[`${method} ${url}`]).find((one) => one !== undefined);
      if (operation === undefined) return { schema: { ...schema, hide: true }, url };
      const security = requiresKeys && operation.tag !== "operations" && { security: [{ bearer: [] }, { apiKey: [] }] };
      const described = { ...schema, ...describe(methods, operation), ...security };
      return { schema: described, url: operation.path ?? url };
    },
  });
  app.register(swaggerUi, { routePrefix: PREFIX, ...DRESS });
  app.get("/openapi.json", async () => app.swagger());
  home(app);
}

function describe(methods: readonly string[], operation: Operation): FastifySchema {
  const { summary, tag, body, query, takes, dialect } = operation;
  const failure = dialect === "messages" ? messagesErrorSchema : errorSchema;
  return {
    // Pages show it as it is; only descriptions are Markdown.
    summary: summary.replaceAll("`", ""),
    tags: [tag],
    ...headersOf(methods, operation),
    ...(body !== undefined && { body: toJsonSchema(body, "input") }),
    ...(takes !== undefined && { consumes: [takes] }),
    ...(query !== undefined && { querystring: toJsonSchema(query, "input") }),
    response: {
      200: { description: "OK", ...answerOf(operation) },
      default: { description: "An error", ...toJsonSchema(failure, "output") },
    },
  };
}

const JSON_TYPE = "application/json";

/** The schema of a JSON answer, or the content of one that is, or may be, of another type. */
function answerOf({ answer, gives = [JSON_TYPE] }: Operation): object {
  const json = answer === undefined ? {} : toJsonSchema(answer, "output");
  if (gives.every((type) => type === JSON_TYPE)) return json;
  const content = gives.map((type) => [type, { schema: type === JSON_TYPE ? json : { type: "string" } }] as const);
  return { content: Object.fromEntries(content) };
}

const TIMEOUT = "The longest that this request may take, in seconds.";
const ONCE = "The request runs once per key; repeats with the same key get the first answer.";

/** The headers that an operation reads. */
function headersOf(methods: readonly string[], operation: Operation): Pick<FastifySchema, "headers"> {
  const generates = isGeneration(operation);
  const isOnce = methods.includes("POST") && (generates || operation.tag === "batches");
  const properties = {
    ...(isOnce && { "idempotency-key": { type: "string", maxLength: 255, description: ONCE } }),
    ...(generates && { "x-request-timeout": { type: "number", exclusiveMinimum: 0, description: TIMEOUT } }),
  };
  return Object.keys(properties).length === 0 ? {} : { headers: { type: "object", properties } };
}

function toJsonSchema(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
