import { explainRefusal, RhoneError } from "@rhone/common";
import type { z } from "zod";

/**
 * Reads a record that a gateway left in Redis or in the storage, perhaps one of another release while gateways are
 * upgraded one by one. Schemas of such records have a `version`. `what` names the record. Throws RECORD_UNREADABLE for
 * JSON that `schema` refuses.
 */
export function readStored<S extends z.ZodType>(schema: S, text: string, what: string): z.output<S> {
  const value = parseJson(text);
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const problem = value === undefined ? "it is not JSON" : explainRefusal(parsed.error, "the record").problem;
  throw new RhoneError(
    "RECORD_UNREADABLE",
    `${what} was written by another version of the gateway and can't be read here (${problem}); ` +
      "try again, or send the request again once all gateways are upgraded.",
  );
}

/** undefined for text that is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
