import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance, FastifySchema } from "fastify";
import { z } from "zod";
import { OPERATIONS } from "../api/operations.js";
import { errorSchema } from "../api/response-schemas.js";

const PREFIX = "/docs";

/** The document at /openapi.json and a page to read and try it at /docs; both follow from the schemas that read requests. */
export function openapi(app: FastifyInstance): void {
  app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Rhone",
        version: "0.1.0",
        description: "OpenAI's and Mistral's HTTP API over a pipeline of machines.",
      },
    },
    transform: ({ schema, url, route }) => {
      const methods = [route.method].flat();
      const operation = methods.map((method) => OPERATIONS[`${method} ${url}`]).find((one) => one !== undefined);
      if (operation === undefined) return { schema: { ...schema, hide: true }, url };
      const { summary, tag, body, answer, path } = operation;
      const described: FastifySchema = {
        summary,
        tags: [tag],
        ...(body !== undefined && { body: toJsonSchema(body, "input") }),
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

function toJsonSchema(schema: z.ZodType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
