import { RhoneError } from "@rhone/common/rhone-error";
import type { ModelConfig } from "../config/model-config.js";
import type { GgufFile } from "../gguf/gguf-file.js";
import { metadataStrings } from "../gguf/metadata.js";
import {
  CHAT_TEMPLATE_NAMES,
  type ChatTemplate,
  type ChatTemplateChoice,
  type ChatTemplateName,
  type ChatVocabulary,
  type ReadingOptions,
} from "./chat-template.js";
import { jinjaTemplate, parseTemplate, templateProblem } from "./jinja-template.js";
import { mistralTemplate } from "./mistral-template.js";

interface ModelHeader {
  readonly file: GgufFile;
  readonly config: ModelConfig;
}

export interface TemplateOptions extends ReadingOptions {
  /** By the catalogue or a setting; detected from the file when absent. */
  readonly choice?: ChatTemplateChoice | undefined;
}

/**
 * A model's template. The vocabulary is borrowed for the template's life. Throws MODEL_UNSUPPORTED when the chosen
 * template does not fit the file or cannot be parsed; one that was not chosen and cannot be parsed refuses all chats.
 */
export function chatTemplateFor(
  model: ModelHeader,
  vocabulary: ChatVocabulary,
  { choice, parseSpecial }: TemplateOptions = {},
): ChatTemplate {
  const { file, config } = model;
  if (choice !== undefined) checkChoice(model, choice);
  const chosen = choice ?? detectChatTemplate(file, config);
  if (typeof chosen !== "string")
    return jinjaFor(model, vocabulary, { name: "jinja", source: chosen.source, parseSpecial });
  switch (chosen) {
    case "mistral-v1":
      return mistralTemplate(1, vocabulary, { parseSpecial });
    case "mistral-v2":
    case "mistral-v3":
      return mistralTemplate(chosen === "mistral-v2" ? 2 : 3, vocabulary, { parseSpecial });
    case "chatml":
      return jinjaFor(model, vocabulary, { name: chosen, source: CHATML, parseSpecial });
    case "jinja":
    case "none": {
      const refusal = chatRefusal(config, chosen);
      if (refusal !== undefined) return refusing(chosen, refusal);
      return jinjaFor(model, vocabulary, { name: "jinja", source: ownSource(config) ?? "", parseSpecial });
    }
  }
}

/** Why a template of the model encodes no chat, as a sentence with the remedy; undefined if it does. */
export function chatRefusal(config: ModelConfig, template: ChatTemplateName): string | undefined {
  if (template === "none") return `${config.name} is a base model without a chat template. ${REMEDY}`;
  const problem = template === "jinja" ? templateProblem(ownSource(config) ?? "") : undefined;
  if (problem === undefined) return undefined;
  return `${config.name} can't chat: its chat template can't be parsed (${problem}). ${REMEDY}`;
}

const NAMES = CHAT_TEMPLATE_NAMES.join(", ");
const REMEDY = `Use /v1/completions, or start with --chat-template and a name (${NAMES}) or file.`;

/** Throws MODEL_UNSUPPORTED for a template that the model's file cannot have. */
export function checkChoice({ file, config }: ModelHeader, choice: ChatTemplateChoice): void {
  if ((choice === "mistral-v2" || choice === "mistral-v3") && !hasInstToken(file)) {
    throw new RhoneError(
      "MODEL_UNSUPPORTED",
      `Chat template ${choice} needs a vocabulary whose token 3 is [INST]; ${file.path} has another.`,
    );
  }
  if (typeof choice === "string" && choice !== "jinja") return;
  const source = choice === "jinja" ? ownSource(config) : choice.source;
  if (source === undefined)
    throw new RhoneError("MODEL_UNSUPPORTED", `${file.path} has no chat template (tokenizer.chat_template).`);
  parseTemplate(source);
}

/** The file's template; undefined for a blank one, too. */
const ownSource = ({ tokenizer: { chatTemplate } }: ModelConfig): string | undefined =>
  chatTemplate?.trim() ? chatTemplate : undefined;

/**
 * The template that a file asks for. Its own comes first, unless that is one of Mistral's: the same conversation in
 * Mistral's own ids is what the model saw. A SentencePiece file without a template whose vocabulary has the control
 * token [INST] is Mistral V3's.
 */
export function detectChatTemplate(file: GgufFile, config: ModelConfig): ChatTemplateName {
  const source = ownSource(config);
  const isSentencePiece = config.tokenizer.model === "llama";
  if (source === undefined) return isSentencePiece && hasInstToken(file) ? "mistral-v3" : "none";
  if (!isSentencePiece || !isMistrals(source)) return "jinja";
  return hasInstToken(file) ? "mistral-v3" : "mistral-v1";
}

/** What templates write around messages: <|im_start|>, <<SYS>>, <s>, [INST], ###. */
const AROUND_MESSAGES = /<[|｜][^<>]*>|<<[^<>]*>>|<\/?[\w.-]+>|\[\/?[A-Z][A-Z_]*\]|#{2,}/g;
const AROUND_MISTRALS: ReadonlySet<string> = new Set([
  ...["<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]"],
  ...["[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"],
]);

/** Whether a template marks messages as Mistral's V1, V2 and V3 do, with nothing else. */
const isMistrals = (source: string): boolean =>
  source.includes("[INST]") && (source.match(AROUND_MESSAGES) ?? []).every((mark) => AROUND_MISTRALS.has(mark));

function hasInstToken(file: GgufFile): boolean {
  return metadataStrings(file, "tokenizer.ggml.tokens")?.[3] === "[INST]";
}

/** The form of many fine-tunes, whatever the model that they began with. */
const CHATML =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}" +
  "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

interface JinjaChoice extends ReadingOptions {
  readonly name: "jinja" | "chatml";
  readonly source: string;
}

function jinjaFor({ file, config }: ModelHeader, vocabulary: ChatVocabulary, choice: JinjaChoice): ChatTemplate {
  const { bosId, eosId, addBos, model } = config.tokenizer;
  const tokens = metadataStrings(file, "tokenizer.ggml.tokens") ?? [];
  const textOf = (id: number | undefined): string => (id === undefined ? "" : (tokens[id] ?? ""));
  return jinjaTemplate({
    ...choice,
    vocabulary,
    bosText: textOf(bosId),
    eosText: textOf(eosId),
    // Prompts of SentencePiece models begin with BOS unless the file says otherwise.
    addBos: addBos ?? model === "llama",
  });
}

function refusing(name: ChatTemplateName, refusal: string): ChatTemplate {
  const encode = (): never => {
    throw new RhoneError("CHAT_TEMPLATE_FAILED", refusal);
  };
  return { name, source: undefined, refusal, trimsAnswers: false, callToken: undefined, encode };
}
