import { RhoneError } from "@rhone/common";
import type { Vocabulary } from "@rhone/ggml";
import type { ModelConfig } from "../config/model-config.js";
import { metadataStrings } from "../gguf/metadata.js";
import type { GgufFile } from "../gguf/open-gguf.js";
import type { ChatMessage, ChatOptions } from "./chat-message.js";
import { jinjaTemplate } from "./jinja-template.js";
import { type MistralVersion, mistralTemplate } from "./mistral-template.js";

/** Turns a conversation into the token ids of a prompt, BOS included. */
export interface ChatTemplate {
  readonly name: ChatTemplateName;
  /** The token with which an answer that is function calls begins; undefined: calls are JSON in words (`toolsAsText`). */
  readonly callToken: number | undefined;
  /** Throws CHAT_TEMPLATE_FAILED (the caller's fault) when the template has no form for these messages. */
  encode(messages: readonly ChatMessage[], options?: ChatOptions): Int32Array;
}

/** jinja: the template in the file. none: a base model; encoding always fails. */
export type ChatTemplateName = `mistral-v${MistralVersion}` | "jinja" | "none";

export const CHAT_TEMPLATE_NAMES: readonly ChatTemplateName[] = [
  "mistral-v1",
  "mistral-v2",
  "mistral-v3",
  "jinja",
  "none",
];

/** What templates need of a vocabulary: its special tokens and its tokenizer. */
export type ChatVocabulary = Pick<Vocabulary, "bos" | "eos" | "tokenize">;

/**
 * The template of a model: `name` when given (from the catalogue or a setting), otherwise what the file shows. The vocabulary is
 * borrowed for the template's life. Throws MODEL_UNSUPPORTED when a named template does not fit the file.
 */
export function chatTemplateFor(
  model: { readonly file: GgufFile; readonly config: ModelConfig },
  vocabulary: ChatVocabulary,
  name: ChatTemplateName = detectChatTemplate(model.file, model.config),
): ChatTemplate {
  switch (name) {
    case "mistral-v1":
      return mistralTemplate(1, vocabulary);
    case "mistral-v2":
    case "mistral-v3":
      if (hasInstToken(model.file)) return mistralTemplate(name === "mistral-v2" ? 2 : 3, vocabulary);
      throw new RhoneError(
        "MODEL_UNSUPPORTED",
        `${name} needs a vocabulary in which [INST] is token 3; ${model.file.path} has not`,
      );
    case "jinja":
      return ownTemplate(model, vocabulary);
    case "none":
      return { name, callToken: undefined, encode: refuse(model.config.name) };
  }
}

/**
 * Which template a file asks for. Mistral's V1 and V3 are told apart by whether [INST] is a control token; a template that
 * says <<SYS>> is Llama 2's and stays with Jinja, as does everything that is not SentencePiece.
 */
export function detectChatTemplate(file: GgufFile, { tokenizer }: ModelConfig): ChatTemplateName {
  const { chatTemplate, model } = tokenizer;
  if (model === "llama" && hasInstToken(file)) return "mistral-v3";
  if (chatTemplate === undefined) return "none";
  const isMistral = model === "llama" && chatTemplate.includes("[INST]") && !chatTemplate.includes("<<SYS>>");
  return isMistral ? "mistral-v1" : "jinja";
}

function hasInstToken(file: GgufFile): boolean {
  return metadataStrings(file, "tokenizer.ggml.tokens")?.[3] === "[INST]";
}

function ownTemplate(
  { file, config }: { readonly file: GgufFile; readonly config: ModelConfig },
  vocabulary: ChatVocabulary,
): ChatTemplate {
  const { chatTemplate, bosId, eosId, addBos, model } = config.tokenizer;
  if (chatTemplate === undefined)
    throw new RhoneError("MODEL_UNSUPPORTED", `${file.path} has no tokenizer.chat_template`);
  const tokens = metadataStrings(file, "tokenizer.ggml.tokens") ?? [];
  const textOf = (id: number | undefined): string => (id === undefined ? "" : (tokens[id] ?? ""));
  return jinjaTemplate({
    source: chatTemplate,
    vocabulary,
    bosText: textOf(bosId),
    eosText: textOf(eosId),
    // SentencePiece vocabularies begin with BOS unless the file says otherwise.
    addBos: addBos ?? model === "llama",
  });
}

const refuse = (modelName: string) => (): never => {
  throw new RhoneError(
    "CHAT_TEMPLATE_FAILED",
    `${modelName} has no chat template: it is a base model. Use /v1/completions, or name a template with --chat-template.`,
  );
};
