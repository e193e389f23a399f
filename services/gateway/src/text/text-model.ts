import { RhoneError } from "@rhone/common";
import { openEngine, Vocabulary } from "@rhone/ggml";
import { type ChatMessage, chatTemplateFor, openGguf, readModelConfig } from "@rhone/model";

/** The side of a model that turns text into token ids and back. */
export interface TextModel {
  readonly name: string;
  readonly vocabSize: number;
  /** SentencePiece puts a space before each text: an answer's first one is not the model's. */
  readonly addsLeadingSpace: boolean;
  /** Throws CHAT_TEMPLATE_FAILED. */
  encodeChat(messages: readonly ChatMessage[]): readonly number[];
  encodeText(text: string): readonly number[];
  /** The bytes of a token; control tokens have none unless `special`. */
  pieceBytes(id: number, options: { readonly special: boolean }): Buffer;
  close(): void;
}

export interface LoadTextModelOptions {
  readonly path: string;
  readonly alias: string | undefined;
  readonly ggmlDir: string | undefined;
}

/** Reads the header and the tokenizer of the file, no weights. Throws what readModelConfig and Vocabulary.open throw. */
export async function loadTextModel({ path, alias, ggmlDir }: LoadTextModelOptions): Promise<TextModel> {
  const file = await openGguf(path);
  const config = readModelConfig(file);
  const name = alias ?? config.name;
  if (config.tokenizer.model === undefined) return idsOnly(name, config.vocabSize);
  const vocabulary = Vocabulary.open(openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir }), path);
  const template = chatTemplateFor({ file, config }, vocabulary);
  return {
    name,
    vocabSize: config.vocabSize,
    addsLeadingSpace: config.tokenizer.model === "llama",
    encodeChat: (messages) => [...template.encode(messages)],
    encodeText: (text) => [...vocabulary.tokenize(text, { addSpecial: true, parseSpecial: true })],
    pieceBytes: (id, options) => vocabulary.pieceBytes(id, options),
    close: () => vocabulary.close(),
  };
}

/** A model without a tokenizer is spoken to in token ids alone. */
function idsOnly(name: string, vocabSize: number): TextModel {
  const refuse = (): never => {
    throw new RhoneError("INVALID_REQUEST", `${name} has no tokenizer: send token ids to /v1/completions.`);
  };
  return {
    name,
    vocabSize,
    addsLeadingSpace: false,
    encodeChat: refuse,
    encodeText: refuse,
    pieceBytes: () => Buffer.alloc(0),
    close: () => {},
  };
}
