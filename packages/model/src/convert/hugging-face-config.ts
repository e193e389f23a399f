import { join } from "node:path";
import { RhoneError } from "@rhone/common";
import type { Architecture } from "../architectures/architecture.js";
import { architectureOfCheckpoint } from "../architectures/architectures.js";
import type { ModelShape } from "../architectures/model-shape.js";
import { isJsonObject, type JsonObject, readJsonFile } from "./json-file.js";

/** A checkpoint's hyper-parameters, and for Llama 3's RoPE the numbers behind its factors. */
export interface CheckpointConfig extends ModelShape {
  readonly architecture: Architecture;
  readonly llama3Rope: Llama3Rope | undefined;
  readonly bosId: number | undefined;
  /** The first, where config.json lists several. */
  readonly eosId: number | undefined;
}

/** Llama 3's stretching of RoPE, under config.json's names. */
export interface Llama3Rope {
  readonly factor: number;
  readonly lowFreqFactor: number;
  readonly highFreqFactor: number;
  readonly originalContextLength: number;
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
  const read = new KeyReader(path, json);
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
    slidingWindow: json.sliding_window == null ? undefined : read.count("sliding_window"),
    tiedEmbeddings: json.tie_word_embeddings === true,
    bosId: firstId(json.bos_token_id),
    eosId: firstId(json.eos_token_id),
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

interface Rope {
  readonly theta: number;
  readonly scaling: ModelShape["ropeScaling"];
  readonly llama3: Llama3Rope | undefined;
}

/** Published files carry `rope_theta` and `rope_scaling` at the top; newer ones gather both in `rope_parameters`. */
function readRope(path: string, json: JsonObject): Rope {
  const parameters = [json.rope_parameters, json.rope_scaling].find(isJsonObject) ?? {};
  const read = new KeyReader(`${path} (RoPE)`, { ...json, ...parameters });
  const theta = read.positive("rope_theta", 10_000);
  const kind = parameters.rope_type ?? parameters.type ?? "default";
  switch (kind) {
    case "default":
      return { theta, scaling: { kind: "none" }, llama3: undefined };
    case "linear":
      return { theta, scaling: { kind: "linear", factor: read.positive("factor") }, llama3: undefined };
    case "llama3":
      return {
        theta,
        scaling: { kind: "frequency-factors" },
        llama3: {
          factor: read.positive("factor"),
          lowFreqFactor: read.positive("low_freq_factor"),
          highFreqFactor: read.positive("high_freq_factor"),
          originalContextLength: read.count("original_max_position_embeddings"),
        },
      };
    default:
      throw new RhoneError(
        "MODEL_UNSUPPORTED",
        `${path}: RoPE of type ${kind}; supported are default, linear and llama3.`,
      );
  }
}

const firstId = (value: unknown): number | undefined => {
  const id: unknown = Array.isArray(value) ? value[0] : value;
  return Number.isInteger(id) ? (id as number) : undefined;
};

/** Reads numbers by key, with the file's name in every complaint. */
class KeyReader {
  readonly #path: string;
  readonly #json: JsonObject;

  constructor(path: string, json: JsonObject) {
    this.#path = path;
    this.#json = json;
  }

  positive(key: string, otherwise?: number): number {
    const value = this.#json[key] ?? otherwise;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw new RhoneError(
      "CHECKPOINT_MALFORMED",
      `${this.#path}: ${key} is ${JSON.stringify(value)}, not a number above 0.`,
    );
  }

  count(key: string, otherwise?: number): number {
    const value = this.positive(key, otherwise);
    if (Number.isInteger(value)) return value;
    throw new RhoneError("CHECKPOINT_MALFORMED", `${this.#path}: ${key} is ${value}, not a whole number.`);
  }
}
