import type { ObjectStorage } from "./object-storage.js";

/** The value that an object holds as JSON; null when there is no such object. */
export async function readJson<T>(storage: Pick<ObjectStorage, "get">, key: string): Promise<T | null> {
  const bytes = await storage.get(key);
  return bytes === null ? null : (JSON.parse(bytes.toString("utf8")) as T);
}
