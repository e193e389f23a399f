import { wholeModel } from "../architectures/model-shape.js";
import { findModelOfFile } from "../catalogue/catalogue.js";
import type { ChatTemplateChoice, ChatTemplateName } from "../chat-template/chat-template.js";
import { chatRefusal, checkChoice, detectChatTemplate } from "../chat-template/choose-template.js";
import { type ModelConfig, namesSlidingWindow, readModelConfig } from "../config/model-config.js";
import { pageBytesPerLayer, shardBytes, type WeightSizes, weightBytes } from "../config/model-size.js";
import type { GgufFile } from "../gguf/gguf-file.js";
import { openGguf } from "../gguf/open-gguf.js";
import { tensorTypeName } from "../gguf/tensor-type.js";

/** The output of `rhone model inspect`: plain data, ready for JSON. */
export interface ModelSummary {
  /** Of a model that was split, the first part. */
  readonly path: string;
  /** Number of files that hold it. */
  readonly parts: number;
  readonly fileBytes: number;
  readonly ggufVersion: number;
  readonly headerFingerprint: string;
  /** The name in the catalogue of a file that it lists. */
  readonly catalogueName: string | undefined;
  /** With the catalogue's sliding window where the file does not name one. */
  readonly config: Omit<ModelConfig, "architecture"> & { readonly architecture: string };
  readonly chatTemplate: ChatTemplateName;
  /** Why it encodes no chats, as a sentence; undefined if it does, and for a model that takes token ids alone. */
  readonly chatRefusal: string | undefined;
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

/**
 * Summarizes a GGUF file's header. Throws as openGguf, readModelConfig and tensorsOfShard do, and MODEL_UNSUPPORTED
 * when `chatTemplate` does not fit the file.
 */
export async function inspectModel(path: string, chatTemplate?: ChatTemplateChoice): Promise<ModelSummary> {
  const file = await openGguf(path);
  const entry = findModelOfFile(path);
  const config = configOf(file, entry?.slidingWindow);
  if (chatTemplate !== undefined) checkChoice({ file, config }, chatTemplate);
  const template = nameOf(chatTemplate) ?? entry?.chatTemplate ?? detectChatTemplate(file, config);
  const takesText = config.tokenizer.model !== undefined;
  const outer = { first: 0, last: 0 };
  const license = file.metadata.get("general.license");
  return {
    path: file.path,
    parts: file.parts.length,
    fileBytes: file.fileBytes,
    ggufVersion: file.version,
    headerFingerprint: file.headerFingerprint,
    catalogueName: entry?.name,
    config: { ...config, architecture: config.architecture.name },
    chatTemplate: template,
    chatRefusal: takesText && typeof chatTemplate !== "object" ? chatRefusal(config, template) : undefined,
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

const nameOf = (choice: ChatTemplateChoice | undefined): ChatTemplateName | undefined =>
  typeof choice === "object" ? "jinja" : choice;

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
