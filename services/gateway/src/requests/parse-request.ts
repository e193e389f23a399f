import type { z } from "zod";
import { RequestError } from "../request-error.js";
import { refuseUnsupported } from "./unsupported-fields.js";

/**
 * The body as `schema` reads it. Throws INVALID_REQUEST that names the first bad field as `param`, and for fields that would change
 * the answer but that the schema doesn't have.
 */
export function parseRequest<S extends z.ZodObject>(schema: S, body: unknown): z.output<S> {
  const fields = parseFields(schema, body);
  refuseUnsupported(body, schema.shape);
  return fields;
}

/** As parseRequest, for some of a body's fields, whatever else there is. */
export function parseFields<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const param = issue?.path.join(".") ?? "";
    const message = param === "" ? (issue?.message ?? "Bad request") : `${param}: ${issue?.message}`;
    throw new RequestError("INVALID_REQUEST", message, param === "" ? {} : { param });
  }
  return parsed.data;
}
