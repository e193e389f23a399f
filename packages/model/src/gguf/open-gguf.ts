import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { RhoneError } from "@rhone/common/rhone-error";
import { type GgufFile, readGgufFile } from "./gguf-file.js";
import { metadataNumber } from "./metadata.js";
import type { TensorInfo } from "./tensor-info.js";

/** The names that llama.cpp gives the parts of a file that it splits: NAME-00001-of-00003.gguf. */
const PART_NAME = /-\d{5}-of-\d{5}\.gguf$/;
const MOST_NAMED = 3;

/**
 * Reads the header of a GGUF file, and those of the other parts if it was split: any part may be named, and all are in
 * one folder. Throws what `readGgufFile` throws, MODEL_NOT_FOUND with the names of missing parts, and GGUF_MALFORMED
 * for parts that do not belong together.
 */
export async function openGguf(path: string): Promise<GgufFile> {
  const file = await readGgufFile(path);
  const count = metadataNumber(file, "split.count") ?? 1;
  if (count <= 1) return file;
  const parts: GgufFile[] = [];
  for (const part of await pathsOfParts(path, count)) parts.push(part === path ? file : await readGgufFile(part));
  return joined(parts);
}

/** A file's name without its ending, and without the number of a part. */
export const fileStem = (path: string): string =>
  basename(path)
    .replace(PART_NAME, "")
    .replace(/\.gguf$/, "");

async function pathsOfParts(path: string, count: number): Promise<readonly string[]> {
  const folder = dirname(path);
  const five = (number: number) => String(number).padStart(5, "0");
  const nameOf = (part: number) => `${fileStem(path)}-${five(part + 1)}-of-${five(count)}.gguf`;
  const names = Array.from({ length: count }, (_, part) => nameOf(part));
  if (!names.includes(basename(path))) {
    throw malformed(path, `it is one of ${count} parts of a model, so its name must end like ${names[0]}`);
  }
  const present = new Set(await readdir(folder));
  const missing = names.filter((name) => !present.has(name));
  if (missing.length === 0) return names.map((name) => (name === basename(path) ? path : join(folder, name)));
  const named = missing.slice(0, MOST_NAMED).join(", ");
  const more = missing.length > MOST_NAMED ? ` and ${missing.length - MOST_NAMED} more` : "";
  throw new RhoneError(
    "MODEL_NOT_FOUND",
    `${path} is one of ${count} parts of a model, and ${folder} lacks ${named}${more}. Put all parts in one folder.`,
    { param: "model" },
  );
}

/** `parts` in order; the first has the metadata of the whole. */
function joined(parts: readonly GgufFile[]): GgufFile {
  const [first] = parts as readonly [GgufFile, ...GgufFile[]];
  const tensors = new Map<string, TensorInfo>();
  for (const [index, part] of parts.entries()) {
    checkPlace(part, { index, count: parts.length });
    for (const [name, info] of part.tensors) {
      if (tensors.has(name)) throw malformed(part.path, `the tensor ${name} is also in ${tensors.get(name)?.path}`);
      tensors.set(name, info);
    }
  }
  const expected = metadataNumber(first, "split.tensors.count") ?? tensors.size;
  if (tensors.size !== expected)
    throw malformed(first.path, `its ${parts.length} parts hold ${tensors.size} tensors, not ${expected}`);
  const fingerprint = createHash("sha256");
  for (const { headerFingerprint } of parts) fingerprint.update(headerFingerprint);
  return {
    ...first,
    parts: parts.flatMap((part) => part.parts),
    fileBytes: parts.reduce((sum, { fileBytes }) => sum + fileBytes, 0),
    tensors,
    headerFingerprint: fingerprint.digest("hex"),
  };
}

function checkPlace(part: GgufFile, { index, count }: { readonly index: number; readonly count: number }): void {
  const [place, of] = [metadataNumber(part, "split.no"), metadataNumber(part, "split.count")];
  if (place === index && of === count) return;
  throw malformed(part.path, `split.no is ${place} of ${of}, not ${index} of ${count}; it was renamed`);
}

const malformed = (path: string, problem: string): RhoneError =>
  new RhoneError("GGUF_MALFORMED", `${path}: ${problem}.`);
