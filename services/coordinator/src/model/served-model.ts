import { resolve } from "node:path";
import { RhoneError } from "@rhone/common";
import { openEngine, Vocabulary } from "@rhone/ggml";
import {
  activationBytes,
  type GgufFile,
  type ModelConfig,
  openGguf,
  pageBytesPerLayer,
  readModelConfig,
  shardBytes,
  weightBytes,
} from "@rhone/model";
import { type ModelWeights, SERVING_DEFAULTS } from "@rhone/planner";
import { fileStamp, weightsFile } from "@rhone/weights";
import { type PieceSource, PieceTable } from "../text/piece-table.js";
import type { ModelFacts } from "./model-facts.js";

export interface ServedModelOptions {
  readonly path: string;
  /** host:port of the process that has the weights, if the file has only the header; else "". */
  readonly origin: string;
  readonly name: string | undefined;
  readonly slidingWindow: number | undefined;
  readonly context: number | undefined;
  readonly ggmlDir: string | undefined;
}

/**
 * Reads the header and the vocabulary of the model file, but no weights. Throws the errors of readModelConfig and
 * Vocabulary.open, and INVALID_CONFIG for a context longer than the model's.
 */
export async function loadServedModel(options: ServedModelOptions): Promise<ModelFacts> {
  const file = await openGguf(resolve(options.path));
  const window = options.slidingWindow;
  const config = readModelConfig(file, window === undefined ? {} : { slidingWindow: window });
  return {
    served: {
      name: options.name ?? config.name,
      path: file.path,
      fingerprint: file.headerFingerprint,
      contextLength: contextLength(config, options.context),
      slidingWindow: config.slidingWindow || null,
      vocabSize: config.vocabSize,
      nLayers: config.nLayers,
      parameters: countParameters(file),
      fileBytes: file.fileBytes,
    },
    weights: weigh(config, file),
    file: options.origin === "" ? { ...weightsFile(file), stamp: await fileStamp(file) } : null,
    origin: options.origin,
    pageBytes: (kvType, pageSize) => pageBytesPerLayer(config, kvType, pageSize),
    activationBytes: (type) => activationBytes(config, type),
    ...readVocabulary(config, { path: file.path, ggmlDir: options.ggmlDir }),
  };
}

function contextLength(config: ModelConfig, wanted: number | undefined): number {
  if (wanted === undefined) return Math.min(config.contextLength, SERVING_DEFAULTS.contextLimit);
  if (wanted <= config.contextLength) return wanted;
  throw new RhoneError(
    "INVALID_CONFIG",
    `--context ${wanted} is longer than the model's context of ${config.contextLength}; set it to that or less.`,
  );
}

function weigh(config: ModelConfig, file: GgufFile): ModelWeights {
  const { nLayers } = config;
  const part = (embeds: boolean, heads: boolean) => shardBytes(config, file, { first: 0, last: 0, embeds, heads });
  return {
    layerBytes: Array.from({ length: nLayers }, (_, layer) => weightBytes(config, file, layer)),
    embeddingBytes: part(true, false),
    headBytes: part(false, true),
    wholeBytes: shardBytes(config, file, { first: 0, last: nLayers, embeds: true, heads: true }),
  };
}

function countParameters(file: GgufFile): number {
  let count = 0;
  for (const { ne } of file.tensors.values()) count += ne.reduce((product, extent) => product * extent, 1);
  return count;
}

function readVocabulary(
  config: ModelConfig,
  { path, ggmlDir }: Pick<ServedModelOptions, "path" | "ggmlDir">,
): Pick<ModelFacts, "endTokens" | "pieces"> {
  const { eosId, eotId, model } = config.tokenizer;
  const named = [eosId, eotId].filter((id) => id !== undefined);
  if (model === undefined) return { endTokens: new Set(named), pieces: new PieceTable(NO_TEXT) };
  const engine = openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir });
  const vocabulary = Vocabulary.open(engine, path);
  const ids = Array.from({ length: vocabulary.size }, (_, id) => id);
  const ends = ids.filter((id) => vocabulary.isEndOfGeneration(id));
  return { endTokens: new Set([...named, ...ends]), pieces: new PieceTable(vocabulary) };
}

/** For a model without a vocabulary: requests and answers are token ids. */
const NO_TEXT: PieceSource = { pieceBytes: () => new Uint8Array() };
