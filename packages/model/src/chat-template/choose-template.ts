import { RhoneError } from "@rhone/common/rhone-error";
import type { ModelConfig } from "../config/model-config.js";
import { metadataStrings } from "../gguf/metadata.js";
import type { GgufFile } from "../gguf/gguf-file.js";
import type { ChatTemplate, ChatTemplateName, ChatVocabulary } from "./chat-template.js";
import { jinjaTemplate } from "./jinja-template.js";
import { mistralTemplate } from "./mistral-template.js";

/**
 * A model's template: `name` when given (by the catalogue or a setting), otherwise detected from the file. The
 * vocabulary is borrowed for the template's life. Throws MODEL_UNSUPPORTED when the named template does not fit the
 * file.
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
        `Chat template ${name} needs a vocabulary whose token 3 is [INST]; ${model.file.path} has another.`,
      );
    case "jinja":
      return ownTemplate(model, vocabulary);
    case "none":
      return { name, callToken: undefined, encode: refuse(model.config.name) };
  }
}

/**
 * The template that a file asks for. A vocabulary with the control token [INST] is Mistral V3's; a SentencePiece file
 * whose template writes [INST] as text is V1's. A template that says <<SYS>> is Llama 2's: it stays with Jinja, as do
 * all others.
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
    throw new RhoneError("MODEL_UNSUPPORTED", `${file.path} has no chat template (tokenizer.chat_template).`);
  const tokens = metadataStrings(file, "tokenizer.ggml.tokens") ?? [];
  const textOf = (id: number | undefined): string => (id === undefined ? "" : (tokens[id] ?? ""));
  return jinjaTemplate({
    source: chatTemplate,
    vocabulary,
    bosText: textOf(bosId),
    eosText: textOf(eosId),
    // Prompts of SentencePiece models begin with BOS unless the file says otherwise.
    addBos: addBos ?? model === "llama",
  });
}

const refuse = (modelName: string) => (): never => {
  throw new RhoneError(
    "CHAT_TEMPLATE_FAILED",
    `${modelName} is a base model without a chat template. Use /v1/completions, or name a template with --chat-template.`,
  );
};
