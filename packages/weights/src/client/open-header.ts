import { access } from "node:fs/promises";
import { type Logger, openSecurity, RhoneError, type SecurityConfig } from "@rhone/common";
import { WeightCache } from "../cache/weight-cache.js";
import { again, fetchModel } from "./fetch-model.js";
import { WeightsClient } from "./weights-client.js";

/** Where a process that needs a model's header and vocabulary, and no weights, has them from. */
export interface HeaderSettings extends SecurityConfig {
  readonly modelPath?: string | undefined;
  /** host:port of the process to ask when there is no file at that path. */
  readonly weightsFrom?: string | undefined;
  /** Where the header is kept. */
  readonly weightsDir: string;
}

export interface ModelHeader {
  /** Of a file of the model's size; without its weights, if `origin` is not "". */
  readonly path: string;
  /** The model's name there; undefined: the file's is right. */
  readonly name: string | undefined;
  /** host:port of the process that has the weights; "": they are here. */
  readonly origin: string;
  /** The file may be removed. */
  readonly close: () => void;
}

/**
 * The file at `modelPath`, else one with the header of the model that `weightsFrom` serves. Throws INVALID_CONFIG when
 * neither is set, and what fetchModel throws.
 */
export async function openHeader(settings: HeaderSettings, logger: Logger): Promise<ModelHeader> {
  const { modelPath, weightsFrom, weightsDir } = settings;
  const isHere = modelPath !== undefined && (weightsFrom === undefined || (await exists(modelPath)));
  if (isHere) return { path: modelPath, name: undefined, origin: "", close: () => {} };
  if (weightsFrom === undefined) {
    const problem = "--model-path or RHONE_MODEL_PATH is required without --weights-from.";
    throw new RhoneError("INVALID_CONFIG", `${problem} It is the GGUF file of the model.`);
  }
  const security = openSecurity(settings, logger);
  const client = new WeightsClient({ address: weightsFrom, role: "coordinator", security });
  try {
    const { signal } = new AbortController();
    const { fingerprint, name } = await again({ signal }, () => client.describe("", signal));
    const { file, close } = await fetchModel({
      fingerprint: fingerprint ?? "",
      wanted: () => [],
      cache: new WeightCache({ folder: weightsDir, mostBytes: Number.POSITIVE_INFINITY }),
      thread: { hash: () => Promise.reject(new RhoneError("INTERNAL", "A header has no tensors to hash.")) },
      origin: client,
      others: [],
      counts: { received: () => {}, wrong: () => {} },
      onProgress: () => {},
      signal,
      logger,
    });
    logger.info({ from: weightsFrom, path: file.path }, "the model's header is here");
    return { path: file.path, name: name || undefined, origin: weightsFrom, close };
  } finally {
    client.close();
    security.close();
  }
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
