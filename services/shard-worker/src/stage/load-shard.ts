import { access } from "node:fs/promises";
import { basename, join } from "node:path";
import { RhoneError } from "@rhone/common";
import { type Backend, type Engine, GgmlType } from "@rhone/ggml";
import { type GgufFile, openGguf, readModelConfig } from "@rhone/model";
import { rhone } from "@rhone/proto";
import { Pages } from "../kv-cache/pages.js";
import { loadWeights } from "../model/load-weights.js";
import { measureSteps, type StepTime } from "./measure-steps.js";
import { Stage } from "./stage.js";

/** A shard in memory. `close` frees weights and pages. */
export interface LoadedShard {
  readonly stage: Stage;
  readonly weightBytes: number;
  readonly pageBytes: number;
  /** Times steps of so many decode rows; call it while no step runs and no page holds anything. */
  readonly measure: (rows: readonly number[]) => Promise<readonly StepTime[]>;
  readonly close: () => void;
}

export interface LoadShardRequest {
  readonly engine: Engine;
  readonly backend: Backend;
  readonly modelsDir: string | undefined;
  readonly load: rhone.v1.LoadShard.$Properties;
  readonly onProgress: (bytes: number, totalBytes: number) => void;
  readonly signal: AbortSignal;
}

/** Loads weights and allocates pages. Throws MODEL_NOT_FOUND, MODEL_MISMATCH, OUT_OF_MEMORY and what the readers throw. */
export async function loadShard(request: LoadShardRequest): Promise<LoadedShard> {
  const { engine, backend, load, modelsDir, onProgress, signal } = request;
  const file = await findFile(load.model ?? {}, modelsDir);
  const slidingWindow = load.slidingWindow ?? 0;
  const config = readModelConfig(file, { slidingWindow });
  const range = {
    first: load.firstLayer ?? 0,
    last: load.lastLayer ?? 0,
    embeds: load.embeds ?? false,
    heads: load.heads ?? false,
  };
  const weights = await loadWeights({ backend, file, config, range, onProgress, signal });
  try {
    const pages = Pages.open(backend, {
      layers: [...weights.layers.keys()],
      pages: load.pages ?? 0,
      pageSize: load.pageSize ?? 1,
      kvDim: config.nKvHeads * config.headDim,
      type: kvTypeOf(load.kvType ?? 0),
    });
    const shard = { config, weights, pages };
    const options = { engine, backend, shard, embeds: range.embeds, heads: range.heads, slidingWindow };
    const stage = new Stage(options);
    const close = (): void => {
      stage.close();
      pages.close();
      weights.close();
    };
    const measure = (rows: readonly number[]) => measureSteps(options, rows);
    return { stage, weightBytes: weights.bytes, pageBytes: pages.bytes, measure, close };
  } catch (error) {
    weights.close();
    throw error;
  }
}

/** The coordinator's path, or the file of that name in this worker's own folder; the header must be the same. */
async function findFile(
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

function kvTypeOf(type: rhone.v1.KvType): GgmlType {
  if (type === rhone.v1.KvType.KV_F32) return GgmlType.F32;
  if (type === rhone.v1.KvType.KV_Q8_0) return GgmlType.Q8_0;
  return GgmlType.F16;
}
