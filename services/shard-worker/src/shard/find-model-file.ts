import { access } from "node:fs/promises";
import { basename, join } from "node:path";
import { RhoneError } from "@rhone/common";
import { type GgufFile, openGguf } from "@rhone/model";
import type { LoadOrder } from "../wire/read-order.js";

/**
 * The model file at the coordinator's path or, when there is none, the file of that name in this worker's own folder.
 * Its header must equal the coordinator's. Throws MODEL_NOT_FOUND, MODEL_MISMATCH and what openGguf throws.
 */
export async function findModelFile(
  { name, path, fingerprint }: LoadOrder["model"],
  modelsDir?: string,
): Promise<GgufFile> {
  const places = [path, ...(modelsDir === undefined ? [] : [join(modelsDir, basename(path))])];
  for (const place of places) {
    if (!(await exists(place))) continue;
    const file = await openGguf(place);
    if (file.headerFingerprint === fingerprint) return file;
    throw new RhoneError(
      "MODEL_MISMATCH",
      `${place} is not the coordinator's file of ${name}: the SHA-256 of its header is ${file.headerFingerprint}, ` +
        `the coordinator's ${fingerprint}. Copy the coordinator's file here.`,
    );
  }
  throw new RhoneError(
    "MODEL_NOT_FOUND",
    `The file of ${name} is not on this machine: there is no ${places.join(" and no ")}. ` +
      "Copy it there, or set --models-dir to its folder.",
  );
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
