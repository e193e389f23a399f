import { readFile } from "node:fs/promises";
import { RhoneError } from "@rhone/common/rhone-error";

export type JsonObject = Readonly<Record<string, unknown>>;

/** The JSON object in a file; undefined when there is no such file. Throws CHECKPOINT_MALFORMED for anything else. */
export async function readJsonFile(path: string): Promise<JsonObject | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw new RhoneError("CHECKPOINT_MALFORMED", `${path} cannot be read: ${error.message}`, { cause: error });
  });
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (isJsonObject(value)) return value;
  } catch (cause) {
    throw new RhoneError("CHECKPOINT_MALFORMED", `${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  throw new RhoneError("CHECKPOINT_MALFORMED", `${path} does not hold a JSON object.`);
}

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The ids of a setting that holds one or several. */
export const idsOf = (value: unknown): readonly number[] =>
  [value].flat().filter((id): id is number => Number.isInteger(id));

/** The numbers of a JSON object by key. Throws CHECKPOINT_MALFORMED naming `path` and the key. */
export class JsonNumbers {
  readonly #path: string;
  readonly #json: JsonObject;

  constructor(path: string, json: JsonObject) {
    this.#path = path;
    this.#json = json;
  }

  positive(key: string, otherwise?: number): number {
    const value = this.#json[key] ?? otherwise;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    const found = value === undefined ? "missing" : `${JSON.stringify(value)}, not a number above 0`;
    throw new RhoneError("CHECKPOINT_MALFORMED", `${this.#path}: ${key} is ${found}.`);
  }

  count(key: string, otherwise?: number): number {
    const value = this.positive(key, otherwise);
    if (Number.isInteger(value)) return value;
    throw new RhoneError("CHECKPOINT_MALFORMED", `${this.#path}: ${key} is ${value}, not a whole number.`);
  }
}
