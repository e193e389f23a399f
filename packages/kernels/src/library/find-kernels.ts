import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { RhoneError } from "@rhone/common";
import { fileHash, readRecord, sourcesHash } from "../records/build-record.js";
import { kernelsPlatform, LIBRARY_NAME } from "../records/platform.js";

/** A library of kernels whose bytes are those that its build recorded. */
export interface KernelsFile {
  readonly path: string;
  /** "local": compiled on this machine from the sources as they are; "prebuilt": shipped with them. */
  readonly origin: "local" | "prebuilt";
}

const PACKAGE = fileURLToPath(new URL("../..", import.meta.url));

/**
 * The library for this platform: a local build while it is of the present sources, else the prebuilt one.
 * Throws KERNELS_UNAVAILABLE when there is none for the platform, or when its bytes are not those that were recorded.
 */
export function findKernels(root = PACKAGE, platform = kernelsPlatform()): KernelsFile {
  const local = libraryIn(join(root, "build"), platform);
  if (local !== undefined && local.sources === sourcesHash(join(root, "native"))) return verified(local, "local");
  const prebuilt = libraryIn(join(root, "prebuilt"), platform);
  if (prebuilt !== undefined) return verified(prebuilt, "prebuilt");
  const message =
    `Rhone has no prebuilt kernels for ${platform}. Compile them with \`npm run build:kernels\`, which needs a C++ ` +
    "compiler.";
  throw new RhoneError("KERNELS_UNAVAILABLE", message);
}

interface Library {
  readonly path: string;
  readonly sources: string;
  readonly recorded: string;
}

/** A recorded library of the folder; undefined when the record has none for `platform`. */
function libraryIn(folder: string, platform: string): Library | undefined {
  const record = readRecord(folder);
  const name = `${platform}/${LIBRARY_NAME}`;
  const recorded = record?.files[name];
  return record === undefined || recorded === undefined
    ? undefined
    : { path: join(folder, name), sources: record.sources, recorded };
}

function verified({ path, recorded }: Library, origin: KernelsFile["origin"]): KernelsFile {
  const found = existsSync(path) ? fileHash(path) : "no file";
  if (found === recorded) return { path, origin };
  const mend = origin === "prebuilt" ? "Check it out again with git, or compile it" : "Compile it again";
  const message =
    `${path} is not the library that its build recorded: its SHA-256 is ${found}, the recorded one ${recorded}. ` +
    `${mend} with \`npm run build:kernels\`.`;
  throw new RhoneError("KERNELS_UNAVAILABLE", message);
}
