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

/** The part of a model that turns text into token ids and back. */
export interface TextModel {
  readonly name: string;
  /** Further names that clients may ask for. */
  readonly aliases: readonly string[];
  readonly vocabSize: number;
  /** The length of a hidden state, and so of an embedding. */
  readonly dim: number;
  /** SentencePiece puts a space before each text, so the space that begins an answer is not the model's. */
  readonly addsLeadingSpace: boolean;
  /** The ids of the tokens that begin a text, end a text, and stand for unknown input. */
  readonly special: Readonly<Record<"bos" | "eos" | "unk", number | undefined>>;
  /** The file's `tokenizer.chat_template`. */
  readonly chatTemplate: string | undefined;
  /** The token that announces function calls in the chat template, if any. */
  readonly callToken: number | undefined;
  /** Throws CHAT_TEMPLATE_FAILED. */
  encodeChat(messages: readonly ChatMessage[], options?: ChatOptions): readonly number[];
  /** Names of control tokens become those tokens. `addSpecial`, default true: begin with BOS if the model wants it. */
  encodeText(text: string, options?: { readonly addSpecial: boolean }): readonly number[];
  /** undefined when the vocabulary lacks the tokens for it. */
  readonly fillInMiddle: FillInMiddle | undefined;
  /** The bytes of a token. Control tokens have none unless `special`. */
  pieceBytes(id: number, options: { readonly special: boolean }): Buffer;
  /** The vocabulary as grammars need it. Throws INVALID_REQUEST for a model without a tokenizer. */
  grammarVocabulary(): GrammarVocabulary;
  close(): void;
}

export interface LoadTextModelOptions {
  readonly path: string;
  /** Default: the name in the file. */
  readonly name: string | undefined;
  readonly aliases: readonly string[];
  /** Default: the template that the file suggests. */
  readonly chatTemplate: ChatTemplateName | undefined;
  readonly ggmlDir: string | undefined;
}

/** Reads the header and the tokenizer of the file, no weights. Throws like readModelConfig and Vocabulary.open. */
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

/** A model without a tokenizer takes and returns token ids only. */
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

/** If `on`, drops one space at the beginning of a text that arrives in pieces. */
export function leadingSpaceStripper(on: boolean): (text: string) => string {
  let isBeginning = on;
  return (text) => {
    if (!isBeginning || text === "") return text;
    isBeginning = false;
    return text.startsWith(" ") ? text.slice(1) : text;
  };
}
