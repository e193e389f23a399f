import { join } from "node:path";
import { RhoneError } from "@rhone/common/rhone-error";
import type { Architecture } from "../architectures/architecture.js";
import { architectureOfCheckpoint } from "../architectures/architectures.js";
import type { ModelShape } from "../architectures/model-shape.js";
import { idsOf, JsonNumbers, type JsonObject, readJsonFile } from "./json-file.js";
import { type Llama3Rope, readRope } from "./rope.js";

/** A checkpoint's architecture and hyper-parameters, and the parameters of Llama 3's RoPE factors. */
export interface CheckpointConfig extends ModelShape {
  readonly architecture: Architecture;
  readonly llama3Rope: Llama3Rope | undefined;
  readonly bosId: number | undefined;
  /** The tokens that end an answer, the model's own end first. */
  readonly eosIds: readonly number[];
}

/**
 * Reads `config.json`. Throws CHECKPOINT_MALFORMED for missing or impossible keys, MODEL_UNSUPPORTED for an unknown
 * architecture and for each setting that the architecture's block does not compute, naming the key.
 */
export async function readHuggingFaceConfig(dir: string, among?: readonly Architecture[]): Promise<CheckpointConfig> {
  const path = join(dir, "config.json");
  const json = await readJsonFile(path);
  if (json === undefined)
    throw new RhoneError("CHECKPOINT_MALFORMED", `${path} is missing; give a Hugging Face model directory.`);
  const className = Array.isArray(json.architectures) ? String(json.architectures[0]) : "undefined";
  const architecture = architectureOfCheckpoint(className, { path, among });
  checkSettings(path, json, architecture);
  const read = new JsonNumbers(path, json);
  const dim = read.count("hidden_size");
  const nHeads = read.count("num_attention_heads");
  const headDim = read.count("head_dim", dim / nHeads);
  const rope = readRope(path, json);
  return {
    architecture,
    dim,
    nLayers: read.count("num_hidden_layers"),
    nHeads,
    nKvHeads: read.count("num_key_value_heads", architecture.checkpoint.classes[className]?.nKvHeads ?? nHeads),
    headDim,
    hiddenDim: read.count("intermediate_size"),
    vocabSize: read.count("vocab_size"),
    normEps: read.positive("rms_norm_eps", 1e-6),
    ropeTheta: rope.theta,
    ropeDim: headDim,
    ropeScaling: rope.scaling,
    llama3Rope: rope.llama3,
    contextLength: read.count("max_position_embeddings"),
    slidingWindow: json.sliding_window == null ? 0 : read.count("sliding_window"),
    tiedEmbeddings: json.tie_word_embeddings === true,
    bosId: idsOf(json.bos_token_id)[0],
    eosIds: idsOf(json.eos_token_id),
  };
}

/** A setting with another value would be computed wrongly, not slowly. */
function checkSettings(path: string, json: JsonObject, { name, checkpoint }: Architecture): void {
  if (json.quantization_config != null) {
    const advice = "convert the original, unquantized weights";
    throw new RhoneError("MODEL_UNSUPPORTED", `${path}: quantization_config is not supported; ${advice}.`);
  }
  for (const [key, computed] of Object.entries(checkpoint.settings)) {
    const value = json[key] ?? computed;
    if (value === computed) continue;
    throw new RhoneError(
      "MODEL_UNSUPPORTED",
      `${path}: ${key} is ${JSON.stringify(value)}; for architecture ${name} only ${JSON.stringify(computed)} is supported.`,
    );
  }
}
