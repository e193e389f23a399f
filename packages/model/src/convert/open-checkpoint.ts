import { access } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { RhoneError } from "@rhone/common/rhone-error";
import { isJsonObject, readJsonFile } from "./json-file.js";
import { type CheckpointTensor, readSafetensorsHeader } from "./safetensors.js";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** The name of the model in a folder: the folder's, or the repository's if it is a snapshot in Hugging Face's cache. */
export function checkpointName(dir: string): string {
  const path = resolve(dir);
  const [, cached] = /models--(?:[^/]+?--)?([^/]+)\/snapshots\/[^/]+$/.exec(path) ?? [];
  return cached ?? basename(path);
}

/**
 * All tensors of a Hugging Face directory, from `model.safetensors` or from the files that its index names. Throws
 * CHECKPOINT_MALFORMED when it has neither, or when index and files disagree.
 */
export async function openCheckpoint(dir: string): Promise<ReadonlyMap<string, CheckpointTensor>> {
  const index = await readJsonFile(join(dir, INDEX));
  if (index !== undefined) return openSharded(dir, index.weight_map);
  const single = join(dir, SINGLE);
  const found = await access(single).then(
    () => true,
    () => false,
  );
  if (found) return readSafetensorsHeader(single);
  throw new RhoneError(
    "CHECKPOINT_MALFORMED",
    `${dir} has neither ${SINGLE} nor ${INDEX}. Only safetensors are read: save the model with safe_serialization=True.`,
  );
}

async function openSharded(dir: string, weightMap: unknown): Promise<ReadonlyMap<string, CheckpointTensor>> {
  const indexPath = join(dir, INDEX);
  const entries = isJsonObject(weightMap) ? Object.entries(weightMap) : [];
  const files = new Set<string>();
  for (const [, file] of entries) {
    // A name with a separator could reach outside the directory.
    if (typeof file !== "string" || /[\\/]/.test(file)) {
      throw new RhoneError("CHECKPOINT_MALFORMED", `${indexPath}: ${JSON.stringify(file)} is not a file name.`);
    }
    files.add(file);
  }
  if (files.size === 0) throw new RhoneError("CHECKPOINT_MALFORMED", `${indexPath} has no weight_map.`);
  const tensors = new Map<string, CheckpointTensor>();
  for (const file of files) {
    for (const [name, tensor] of await readSafetensorsHeader(join(dir, file))) tensors.set(name, tensor);
  }
  for (const [name, file] of entries) {
    if (tensors.get(name)?.path === join(dir, String(file))) continue;
    throw new RhoneError(
      "CHECKPOINT_MALFORMED",
      `${indexPath} says that ${name} is in ${file}, which does not hold it.`,
    );
  }
  return tensors;
}
