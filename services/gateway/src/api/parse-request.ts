import type { z } from "zod";
import { RequestError } from "./request-error.js";
import { refuseUnsupported } from "./unsupported-fields.js";

/** The body as `schema` reads it. Throws INVALID_REQUEST that names the first bad field as `param`. */
export function parseRequest<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const parsed = schema.safeParse(body ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const param = issue?.path.join(".") ?? "";
    const message = param === "" ? (issue?.message ?? "Bad request") : `${param}: ${issue?.message}`;
    throw new RequestError("INVALID_REQUEST", message, param === "" ? {} : { param });
  }
  refuseUnsupported(body);
  return parsed.data;
}
