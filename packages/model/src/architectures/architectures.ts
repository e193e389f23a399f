import { RhoneError } from "@rhone/common/rhone-error";
import type { Architecture } from "./architecture.js";
import { llama } from "./llama.js";

/** The architectures that Rhone serves. A new one is a file beside `llama.ts` and a row here. */
export const ARCHITECTURES: readonly Architecture[] = [llama];

/** By `general.architecture`. Throws MODEL_UNSUPPORTED naming `path`, the architecture and the supported ones. */
export function architectureNamed(
  name: string,
  { path, among = ARCHITECTURES }: { readonly path: string; readonly among?: readonly Architecture[] | undefined },
): Architecture {
  const found = among.find((architecture) => architecture.name === name);
  if (found !== undefined) return found;
  const known = among.map((architecture) => `${architecture.name} (${architecture.models})`).join(", ");
  throw new RhoneError("MODEL_UNSUPPORTED", `${path}: architecture ${name} is not supported; supported are ${known}.`);
}

/**
 * By a class under `architectures` in config.json. Throws MODEL_UNSUPPORTED naming `path`, the class and the supported
 * ones.
 */
export function architectureOfCheckpoint(
  className: string,
  { path, among = ARCHITECTURES }: { readonly path: string; readonly among?: readonly Architecture[] | undefined },
): Architecture {
  const found = among.find(({ checkpoint }) => Object.hasOwn(checkpoint.classes, className));
  if (found !== undefined) return found;
  const known = among.flatMap(({ checkpoint }) => Object.keys(checkpoint.classes)).join(", ");
  throw new RhoneError("MODEL_UNSUPPORTED", `${path}: class ${className} is not supported; supported are ${known}.`);
}
