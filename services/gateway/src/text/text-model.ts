import { RhoneError } from "@rhone/common";
import { type GrammarVocabulary, grammarVocabulary } from "@rhone/grammar";
import type { ChatMessage, ChatOptions, ChatTemplateChoice } from "@rhone/model";
import { type Encoded, type EncoderOptions, openEncoder } from "./encoder.js";
import type { EncodeLimits } from "./encoder-thread.js";
import { type EncodeOptions, Encodings } from "./encodings.js";
import { rememberPieces } from "./remember-pieces.js";

/** Turns each text before a gap, with the text after it, into a prompt whose continuation fills the gap. */
export type FillInMiddle = (
  befores: readonly string[],
  after: string,
  options?: Pick<EncodeOptions, "last" | "owner">,
) => Promise<Encoded>;

/** The part of a model that turns text into token ids and back. */
export interface TextModel {
  readonly name: string;
  /** Further names that clients may ask for. */
  readonly aliases: readonly string[];
  /** SHA-256 of its file's header: coordinators of the same file are known by it, whatever they call the model. */
  readonly fingerprint: string;
  readonly vocabSize: number;
  /** The length of a hidden state, and so of an embedding. */
  readonly dim: number;
  /** Most tokens of a text, in the model's file; a cluster may serve fewer. */
  readonly contextLength: number;
  /** SentencePiece puts a space before each text, so the space that begins an answer is not the model's. */
  readonly addsLeadingSpace: boolean;
  /** The ids of the tokens that begin a text, end a text, and stand for unknown input. */
  readonly special: Readonly<Record<"bos" | "eos" | "unk", number | undefined>>;
  /** The Jinja source in use; with Mistral's own encodings the file's, `tokenizer.chat_template`. */
  readonly chatTemplate: string | undefined;
  /** Whether the chat template leaves out blanks at the end of an answer, unless it is blank. */
  readonly trimsAnswers: boolean;
  /** Why it encodes no chats, as a sentence; undefined if it does. */
  readonly chatRefusal: string | undefined;
  /** The token that announces function calls in the chat template, if any. */
  readonly callToken: number | undefined;
  /** Throws CHAT_TEMPLATE_FAILED, and as `encodeTexts`. */
  encodeChat(
    messages: readonly ChatMessage[],
    chat?: ChatOptions,
    options?: Pick<EncodeOptions, "last" | "owner">,
  ): Promise<readonly number[]>;
  /**
   * The ids of each text; names of control tokens become those tokens. Throws CONTEXT_LENGTH_EXCEEDED for what can't
   * fit the model's context, TEXT_TOO_COSTLY and TEXTS_BUSY.
   */
  encodeTexts(texts: readonly string[], options?: EncodeOptions): Promise<Encoded>;
  encodeText(text: string, options?: EncodeOptions): Promise<readonly number[]>;
  /** undefined when the vocabulary lacks the tokens for it. Throws as `encodeTexts`. */
  readonly fillInMiddle: FillInMiddle | undefined;
  /** The bytes of a token, which the caller does not change. Control tokens have none unless `special`. */
  pieceBytes(id: number, options: { readonly special: boolean }): Buffer;
  /** The vocabulary as grammars need it. Throws INVALID_REQUEST for a model without a tokenizer. */
  grammarVocabulary(): Promise<GrammarVocabulary>;
  close(): Promise<void>;
}

export interface LoadTextModelOptions extends Pick<EncoderOptions, "parseSpecial"> {
  readonly path: string;
  /** Default: the name in the file. */
  readonly name: string | undefined;
  readonly aliases: readonly string[];
  /** Default: the template that the file suggests. */
  readonly chatTemplate: ChatTemplateChoice | undefined;
  readonly ggmlDir: string | undefined;
  readonly limits?: EncodeLimits;
}

const DEFAULT_LIMITS: EncodeLimits = { timeoutMs: 5000, most: 64, withinMs: 30_000 };

/** Reads the header and the tokenizer of the file, no weights. Throws like readModelConfig and Vocabulary.open. */
export async function loadTextModel(options: LoadTextModelOptions): Promise<TextModel> {
  const { aliases, limits = DEFAULT_LIMITS } = options;
  const { config, fingerprint, encoder } = await openEncoder(options);
  const name = options.name ?? config.name;
  const { vocabSize, dim, contextLength } = config;
  const known = { name, aliases, fingerprint, vocabSize, dim, contextLength };
  if (encoder === undefined) return idsOnly(known);
  const { vocabulary, template, fillInMiddle } = encoder;
  const { path, chatTemplate, parseSpecial, ggmlDir } = options;
  const source = { path, chatTemplate, parseSpecial, ggmlDir, shared: vocabulary.shared };
  const encodings = new Encodings({ encoder, source, limits, config });
  const encodeTexts: TextModel["encodeTexts"] = (texts, { addSpecial = true, ...how } = {}) =>
    encodings.encode({ kind: "texts", texts, addSpecial }, how);
  return {
    ...known,
    addsLeadingSpace: config.tokenizer.model === "llama",
    special: { bos: vocabulary.bos, eos: vocabulary.eos, unk: vocabulary.unk },
    chatTemplate: template.source ?? config.tokenizer.chatTemplate,
    chatRefusal: template.refusal,
    trimsAnswers: template.trimsAnswers,
    callToken: template.callToken,
    encodeChat: async (messages, chat, how = {}) =>
      only(await encodings.encode({ kind: "chat", messages, options: chat }, { paramOf: () => "messages", ...how })),
    encodeTexts,
    encodeText: async (text, how) => only(await encodeTexts([text], how)),
    fillInMiddle:
      fillInMiddle === undefined
        ? undefined
        : (befores, after, how = {}) => encodings.encode({ kind: "gaps", befores, after }, how),
    pieceBytes: rememberPieces((id, how) => vocabulary.pieceBytes(id, how)),
    grammarVocabulary: () => grammarVocabulary(vocabulary, vocabSize),
    close: async () => {
      await encodings.close();
      vocabulary.close();
    },
  };
}

const only = ([ids = []]: Encoded): readonly number[] => ids;

/** A model without a tokenizer takes and returns token ids only. */
function idsOnly(
  known: Pick<TextModel, "name" | "aliases" | "fingerprint" | "vocabSize" | "dim" | "contextLength">,
): TextModel {
  const message = `${known.name} has no tokenizer: send token ids to /v1/completions or /v1/embeddings.`;
  const refusal = () => new RhoneError("INVALID_REQUEST", message);
  const refuse = () => Promise.reject(refusal());
  return {
    ...known,
    addsLeadingSpace: false,
    special: { bos: undefined, eos: undefined, unk: undefined },
    chatTemplate: undefined,
    chatRefusal: message,
    trimsAnswers: false,
    callToken: undefined,
    encodeChat: refuse,
    encodeTexts: refuse,
    encodeText: refuse,
    fillInMiddle: undefined,
    pieceBytes: () => Buffer.alloc(0),
    grammarVocabulary: refuse,
    close: async () => {},
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
