import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance, FastifySchema } from "fastify";
import { z } from "zod";
import type { GatewayDeps } from "../../gateway-deps.js";
import { isGeneration } from "../operation-of.js";
import { OPERATIONS, type Operation } from "./operations.js";
import { errorSchema } from "./response-schemas.js";

const PREFIX = "/docs";

/** The document at /openapi.json and a page to read and try it at /docs; both follow from the schemas that read requests. */
export function openapi(app: FastifyInstance, { keyRing }: Pick<GatewayDeps, "keyRing">): void {
  app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Rhone",
        version: "0.1.0",
        description: "OpenAI's and Mistral's HTTP API over a pipeline of machines.",
      },
      components: {
        securitySchemes: {
          bearer: { type: "http", scheme: "bearer", description: "A key of `rhone keys create`." },
          apiKey: { type: "apiKey", in: "header", name: "x-api-key", description: "The same." },
        },
      },
    },
    transform: ({ schema, url, route }) => {
      const methods = [route.method].flat();
      const operation = methods.map((method) => OPERATIONS[`${method} ${url}`]).find((one) => one !== undefined);
      if (operation === undefined) return { schema: { ...schema, hide: true }, url };
      const { summary, tag, body, query, answer, path } = operation;
      const described: FastifySchema = {
        summary,
        tags: [tag],
        ...(keyRing !== null && tag !== "operations" && { security: [{ bearer: [] }, { apiKey: [] }] }),
        ...headersOf(methods, operation),
        ...(body !== undefined && { body: toJsonSchema(body, "input") }),
        ...(query !== undefined && { querystring: toJsonSchema(query, "input") }),
        response: {
          200: answer === undefined ? { description: "OK" } : { description: "OK", ...toJsonSchema(answer, "output") },
          default: { description: "A failure", ...toJsonSchema(errorSchema, "output") },
        },
      };
      return { schema: { ...schema, ...described }, url: path ?? url };
    },
  });
  app.register(swaggerUi, { routePrefix: PREFIX });
  app.get("/openapi.json", async () => app.swagger());
}

const TIMEOUT = "How long the request may take, in seconds.";
const ONCE = "Requests with the same key are done once; the first one's answer is every later one's.";

/** What routes take besides their bodies. */
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
