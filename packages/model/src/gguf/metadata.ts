import { RhoneError } from "@rhone/common/rhone-error";
import type { GgufFile } from "./gguf-file.js";

type WithMetadata = Pick<GgufFile, "path" | "metadata">;

const wrongType = (
  { path }: WithMetadata,
  key: string,
  { type, wanted }: { type: string; wanted: string },
): RhoneError => new RhoneError("GGUF_MALFORMED", `${path}: ${key} is of type ${type}, not ${wanted}.`);

/** The text under `key`; undefined when absent. Throws GGUF_MALFORMED for another type. */
export function metadataString(file: WithMetadata, key: string): string | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (value.type !== "string") throw wrongType(file, key, { type: value.type, wanted: "string" });
  return value.value;
}

/** The number under `key`, of any width; undefined when absent. Throws GGUF_MALFORMED for another type. */
export function metadataNumber(file: WithMetadata, key: string): number | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value.value !== "number" && typeof value.value !== "bigint")
    throw wrongType(file, key, { type: value.type, wanted: "a number" });
  return Number(value.value);
}

/** The boolean under `key`; undefined when absent. Throws GGUF_MALFORMED for another type. */
export function metadataBoolean(file: WithMetadata, key: string): boolean | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (value.type !== "bool") throw wrongType(file, key, { type: value.type, wanted: "bool" });
  return value.value;
}

/** The list of texts under `key`; undefined when absent. Throws GGUF_MALFORMED for another type. */
export function metadataStrings(file: WithMetadata, key: string): readonly string[] | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (value.type !== "array" || value.of !== "string")
    throw wrongType(file, key, { type: value.type, wanted: "an array of strings" });
  return value.value;
}
