import { RhoneError } from "@rhone/common";
import { openEngine, Vocabulary } from "@rhone/ggml";
import { type GrammarVocabulary, grammarVocabulary } from "@rhone/grammar";
import {
  type ChatMessage,
  type ChatOptions,
  type ChatTemplateName,
  chatTemplateFor,
  type FillInMiddle,
  fillInMiddleFor,
  openGguf,
  readModelConfig,
} from "@rhone/model";

/** The side of a model that turns text into token ids and back. */
export interface TextModel {
  readonly name: string;
  /** More names that clients may ask for. */
  readonly aliases: readonly string[];
  readonly vocabSize: number;
  /** Values of a hidden state, and so of an embedding. */
  readonly dim: number;
  /** SentencePiece puts a space before each text: an answer's first one is not the model's. */
  readonly addsLeadingSpace: boolean;
  /** The ids of the tokens that begin and end texts, and of what can't be tokenized. */
  readonly special: Readonly<Record<"bos" | "eos" | "unk", number | undefined>>;
  /** `tokenizer.chat_template` of the file. */
  readonly chatTemplate: string | undefined;
  /** As the chat template has it. */
  readonly callToken: number | undefined;
  /** Throws CHAT_TEMPLATE_FAILED. */
  encodeChat(messages: readonly ChatMessage[], options?: ChatOptions): readonly number[];
  /** Names of control tokens in the text become these tokens. `addSpecial`: begin with BOS if the model wants it; true when absent. */
  encodeText(text: string, options?: { readonly addSpecial: boolean }): readonly number[];
  /** undefined: the vocabulary has no tokens for it. */
  readonly fillInMiddle: FillInMiddle | undefined;
  /** The bytes of a token; control tokens have none unless `special`. */
  pieceBytes(id: number, options: { readonly special: boolean }): Buffer;
  /** What grammars need of the tokenizer. Throws INVALID_REQUEST where there is none. */
  grammarVocabulary(): GrammarVocabulary;
  close(): void;
}

export interface LoadTextModelOptions {
  readonly path: string;
  /** The file's own when undefined. */
  readonly name: string | undefined;
  readonly aliases: readonly string[];
  /** What the file shows when undefined. */
  readonly chatTemplate: ChatTemplateName | undefined;
  readonly ggmlDir: string | undefined;
}

/** Reads the header and the tokenizer of the file, no weights. Throws what readModelConfig and Vocabulary.open throw. */
export async function loadTextModel(options: LoadTextModelOptions): Promise<TextModel> {
  const { path, aliases, chatTemplate, ggmlDir } = options;
  const file = await openGguf(path);
  const config = readModelConfig(file);
  const name = options.name ?? config.name;
  if (config.tokenizer.model === undefined)
    return idsOnly({ name, aliases, vocabSize: config.vocabSize, dim: config.dim });
  const vocabulary = Vocabulary.open(openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir }), path);
  const template = chatTemplateFor({ file, config }, vocabulary, chatTemplate);
  return {
    name,
    aliases,
    vocabSize: config.vocabSize,
    dim: config.dim,
    addsLeadingSpace: config.tokenizer.model === "llama",
    special: { bos: vocabulary.bos, eos: vocabulary.eos, unk: vocabulary.unk },
    chatTemplate: config.tokenizer.chatTemplate,
    callToken: template.callToken,
    encodeChat: (messages, options) => [...template.encode(messages, options)],
    encodeText: (text, { addSpecial } = { addSpecial: true }) => [
      ...vocabulary.tokenize(text, { addSpecial, parseSpecial: true }),
    ],
    fillInMiddle: fillInMiddleFor(vocabulary),
    pieceBytes: (id, options) => vocabulary.pieceBytes(id, options),
    grammarVocabulary: () => grammarVocabulary(vocabulary, config.vocabSize),
    close: () => vocabulary.close(),
  };
}

/** A model without a tokenizer is spoken to in token ids alone. */
function idsOnly(known: Pick<TextModel, "name" | "aliases" | "vocabSize" | "dim">): TextModel {
  const refuse = (): never => {
    throw new RhoneError(
      "INVALID_REQUEST",
      `${known.name} has no tokenizer: send token ids to /v1/completions or /v1/embeddings.`,
    );
  };
  return {
    ...known,
    addsLeadingSpace: false,
    special: { bos: undefined, eos: undefined, unk: undefined },
    chatTemplate: undefined,
    callToken: undefined,
    encodeChat: refuse,
    encodeText: refuse,
    fillInMiddle: undefined,
    pieceBytes: () => Buffer.alloc(0),
    grammarVocabulary: refuse,
    close: () => {},
  };
}

/** Drops one space at the very beginning of a text that comes in pieces, if `on`. */
export function leadingSpaceStripper(on: boolean): (text: string) => string {
  let isBeginning = on;
  return (text) => {
    if (!isBeginning || text === "") return text;
    isBeginning = false;
    return text.startsWith(" ") ? text.slice(1) : text;
  };
}
