import { access } from "node:fs/promises";
import { basename, join } from "node:path";
import { RhoneError } from "@rhone/common";
import { type GgufFile, openGguf } from "@rhone/model";
import type { rhone } from "@rhone/proto";

/**
 * The coordinator's path, or the file of that name in this worker's own folder; the header must be the same.
 * Throws MODEL_NOT_FOUND, MODEL_MISMATCH and what openGguf throws.
 */
export async function findModelFile(
  { name, path, fingerprint }: rhone.v1.ModelRef.$Properties,
  modelsDir?: string,
): Promise<GgufFile> {
  const places = [path ?? "", ...(modelsDir === undefined ? [] : [join(modelsDir, basename(path ?? ""))])];
  for (const place of places) {
    const exists = await access(place).then(
      () => true,
      () => false,
    );
    if (!exists) continue;
    const file = await openGguf(place);
    if (file.headerFingerprint === fingerprint) return file;
    throw new RhoneError(
      "MODEL_MISMATCH",
      `${place} is another file than the coordinator's ${name}: its header's SHA-256 is ${file.headerFingerprint}, not ${fingerprint}. Copy the coordinator's file here.`,
    );
  }
  throw new RhoneError(
    "MODEL_NOT_FOUND",
    `The model file is not on this machine; looked for ${places.join(" and ")}. Copy it, or set --models-dir.`,
  );
}
