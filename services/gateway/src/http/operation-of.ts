import type { FastifyRequest } from "fastify";
import { OPERATIONS, type Operation } from "./openapi/operations.js";

/** What a request asks for; undefined for a path that only the router knows. */
export function operationOf({ method, routeOptions }: FastifyRequest): Operation | undefined {
  return OPERATIONS[`${method === "HEAD" ? "GET" : method} ${routeOptions.url}`];
}

const OTHERS: ReadonlySet<Operation["tag"] | undefined> = new Set([
  "batches",
  "streams",
  "tokenizer",
  "models",
  "operations",
  undefined,
]);

/** Whether it uses the model, and so counts against its caller's limits. */
export const isGeneration = (operation: Operation | undefined): boolean => !OTHERS.has(operation?.tag);
