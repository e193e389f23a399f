import { RhoneError } from "@rhone/common";
import type { GgufValue } from "./gguf-value.js";
import type { GgufFile } from "./open-gguf.js";

type WithMetadata = Pick<GgufFile, "path" | "metadata">;

const wrongType = (file: WithMetadata, key: string, value: GgufValue, wanted: string): RhoneError =>
  new RhoneError("GGUF_MALFORMED", `${file.path}: ${key} is of type ${value.type}, not ${wanted}.`);

/** The text under `key`; undefined when absent. Throws GGUF_MALFORMED for another type. */
export function metadataString(file: WithMetadata, key: string): string | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (value.type !== "string") throw wrongType(file, key, value, "string");
  return value.value;
}

/** The number under `key`, of any width; undefined when absent. Throws GGUF_MALFORMED for another type. */
export function metadataNumber(file: WithMetadata, key: string): number | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (typeof value.value !== "number" && typeof value.value !== "bigint") throw wrongType(file, key, value, "a number");
  return Number(value.value);
}

/** The boolean under `key`; undefined when absent. Throws GGUF_MALFORMED for another type. */
export function metadataBoolean(file: WithMetadata, key: string): boolean | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (value.type !== "bool") throw wrongType(file, key, value, "bool");
  return value.value;
}

/** The list of texts under `key`; undefined when absent. Throws GGUF_MALFORMED for another type. */
export function metadataStrings(file: WithMetadata, key: string): readonly string[] | undefined {
  const value = file.metadata.get(key);
  if (value === undefined) return undefined;
  if (value.type !== "array" || value.of !== "string") throw wrongType(file, key, value, "an array of strings");
  return value.value;
}
