import { RequestError } from "../request-error.js";

/** JSON nested deeper can be read, but not written without exhausting the stack. Schemas come to a quarter of it. */
const MOST_DEPTH = 1000;

/** Throws INVALID_REQUEST for JSON that is nested too deep. */
export function refuseDeep(body: unknown): void {
  if (isDeeper(body, MOST_DEPTH))
    throw new RequestError("INVALID_REQUEST", `The body is nested more than ${MOST_DEPTH} deep.`);
}

function isDeeper(value: unknown, most: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return most === 0 || Object.values(value).some((inner) => isDeeper(inner, most - 1));
}
