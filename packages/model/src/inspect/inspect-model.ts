import { basename } from "node:path";
import { wholeModel } from "../architectures/model-shape.js";
import { findModel } from "../catalogue/catalogue.js";
import type { ChatTemplateName } from "../chat-template/chat-template.js";
import { detectChatTemplate } from "../chat-template/choose-template.js";
import { type ModelConfig, namesSlidingWindow, readModelConfig } from "../config/model-config.js";
import { pageBytesPerLayer, shardBytes, type WeightSizes, weightBytes } from "../config/model-size.js";
import { type GgufFile, openGguf } from "../gguf/open-gguf.js";
import { tensorTypeName } from "../gguf/tensor-type.js";

/** The output of `rhone model inspect`: plain data, ready for JSON. */
export interface ModelSummary {
  readonly path: string;
  readonly fileBytes: number;
  readonly ggufVersion: number;
  readonly headerFingerprint: string;
  /** The name in the catalogue of a file that it lists. */
  readonly catalogueName: string | undefined;
  /** With the catalogue's sliding window where the file does not name one. */
  readonly config: Omit<ModelConfig, "architecture"> & { readonly architecture: string };
  readonly chatTemplate: ChatTemplateName;
  readonly license: string | undefined;
  readonly nParameters: number;
  /** Largest first. */
  readonly tensorTypes: readonly TensorTypeSummary[];
  readonly weightBytes: WeightSizes;
  /** K/V bytes of one position in all layers, f16. */
  readonly kvBytesPerPosition: number;
}

export interface TensorTypeSummary {
  readonly type: string;
  readonly tensors: number;
  readonly bytes: number;
}

/** Summarizes a GGUF file's header. Throws as openGguf, readModelConfig and tensorsOfShard do. */
export async function inspectModel(path: string): Promise<ModelSummary> {
  const file = await openGguf(path);
  const entry = findModel(basename(path));
  const config = configOf(file, entry?.slidingWindow);
  const outer = { first: 0, last: 0 };
  const license = file.metadata.get("general.license");
  return {
    path,
    fileBytes: file.fileBytes,
    ggufVersion: file.version,
    headerFingerprint: file.headerFingerprint,
    catalogueName: entry?.name,
    config: { ...config, architecture: config.architecture.name },
    chatTemplate: entry?.chatTemplate ?? detectChatTemplate(file, config),
    license: license?.type === "string" ? license.value : entry?.license,
    nParameters: countParameters(file),
    tensorTypes: summarizeTypes(file),
    weightBytes: {
      total: shardBytes(config, file, wholeModel(config)),
      embedding: shardBytes(config, file, { ...outer, embeds: true, heads: false }),
      head: shardBytes(config, file, { ...outer, embeds: false, heads: true }),
      layers: Array.from({ length: config.nLayers }, (_, layer) => weightBytes(config, file, layer)),
    },
    kvBytesPerPosition: config.nLayers * pageBytesPerLayer(config, "f16", 1),
  };
}

function configOf(file: GgufFile, catalogueWindow: number | undefined): ModelConfig {
  const config = readModelConfig(file);
  if (catalogueWindow === undefined || namesSlidingWindow(file, config.architecture)) return config;
  return readModelConfig(file, { slidingWindow: catalogueWindow });
}

function countParameters(file: GgufFile): number {
  let count = 0;
  for (const { ne } of file.tensors.values()) count += ne.reduce((product, extent) => product * extent, 1);
  return count;
}

function summarizeTypes(file: GgufFile): TensorTypeSummary[] {
  const sums = new Map<string, TensorTypeSummary>();
  for (const { type: id, bytes } of file.tensors.values()) {
    const type = tensorTypeName(id);
    const sum = sums.get(type) ?? { type, tensors: 0, bytes: 0 };
    sums.set(type, { type, tensors: sum.tensors + 1, bytes: sum.bytes + bytes });
  }
  return [...sums.values()].sort((a, b) => b.bytes - a.bytes);
}
