import { openEngine, type SharedVocabulary, Vocabulary } from "@rhone/ggml";
import {
  type ChatMessage,
  type ChatOptions,
  type ChatTemplate,
  type ChatTemplateChoice,
  chatTemplateFor,
  type FillInMiddle,
  fillInMiddleFor,
  type ModelConfig,
  openGguf,
  readModelConfig,
} from "@rhone/model";

export interface EncoderOptions {
  readonly path: string;
  /** Default: the template that the file suggests. */
  readonly chatTemplate: ChatTemplateChoice | undefined;
  /** Whether names of control tokens in messages are these tokens. Default: false, they stay text. */
  readonly parseSpecial?: boolean | undefined;
  readonly ggmlDir: string | undefined;
  /** Another thread's vocabulary of the file, which is borrowed; undefined: read from the file. */
  readonly shared?: SharedVocabulary;
}

/** What is to become token ids: a conversation, texts, or the texts before gaps and the one after each of them. */
export type Source =
  | { readonly kind: "chat"; readonly messages: readonly ChatMessage[]; readonly options?: ChatOptions | undefined }
  | { readonly kind: "texts"; readonly texts: readonly string[]; readonly addSpecial: boolean }
  | { readonly kind: "gaps"; readonly befores: readonly string[]; readonly after: string };

/** The ids of each text or gap; one list for a conversation. */
export type Encoded = readonly (readonly number[])[];

/** What turns texts into token ids, in one thread. */
export interface Encoder {
  readonly vocabulary: Vocabulary;
  readonly template: ChatTemplate;
  readonly fillInMiddle: FillInMiddle | undefined;
}

export interface OpenedEncoder {
  readonly config: ModelConfig;
  /** SHA-256 of the file's header. */
  readonly fingerprint: string;
  /** undefined for a model without a tokenizer. */
  readonly encoder: Encoder | undefined;
}

/** Reads the header and the tokenizer of the file, no weights. Throws like readModelConfig and Vocabulary.open. */
export async function openEncoder(options: EncoderOptions): Promise<OpenedEncoder> {
  const { chatTemplate: choice, parseSpecial, ggmlDir, shared } = options;
  const file = await openGguf(options.path);
  const config = readModelConfig(file);
  const { headerFingerprint: fingerprint } = file;
  if (config.tokenizer.model === undefined) return { config, fingerprint, encoder: undefined };
  const engine = openEngine(ggmlDir === undefined ? {} : { dir: ggmlDir });
  const vocabulary = shared === undefined ? Vocabulary.open(engine, file.path) : Vocabulary.borrow(engine, shared);
  const template = chatTemplateFor({ file, config }, vocabulary, { choice, parseSpecial });
  return { config, fingerprint, encoder: { vocabulary, template, fillInMiddle: fillInMiddleFor(vocabulary) } };
}

/**
 * The ids, in time that grows with the length of the texts; a template of the model's file may take any. Throws
 * CHAT_TEMPLATE_FAILED. `last`: how many ids of each list are wanted, from its end; all when absent.
 */
export function encode(encoder: Encoder, source: Source, last?: number): Encoded {
  const lists = listsOf(encoder, source);
  return lists.map((ids) => Array.from(last === undefined ? ids : ids.slice(-last)));
}

function listsOf(
  { vocabulary, template, fillInMiddle }: Encoder,
  source: Source,
): readonly (Int32Array | readonly number[])[] {
  switch (source.kind) {
    case "chat":
      return [template.encode(source.messages, source.options)];
    case "texts": {
      const options = { addSpecial: source.addSpecial, parseSpecial: true };
      return source.texts.map((text) => vocabulary.tokenize(text, options));
    }
    case "gaps":
      return fillInMiddle?.(source.befores, source.after) ?? [];
  }
}

/** UTF-16 units of the texts, and one for each of them; the text after gaps counts for each gap. */
export function sizeOf(source: Source): number {
  switch (source.kind) {
    case "chat": {
      const { tools, templateArguments } = source.options ?? {};
      const lengths = source.messages.map(
        ({ content, toolCalls, toolCallId = "", name = "" }) =>
          (content ?? "").length + lengthOf(toolCalls) + toolCallId.length + name.length + 1,
      );
      return lengths.reduce((sum, length) => sum + length, lengthOf(tools) + lengthOf(templateArguments));
    }
    case "texts":
      return source.texts.reduce((sum, text) => sum + text.length + 1, 0);
    case "gaps":
      return source.befores.reduce((sum, before) => sum + before.length + source.after.length + 1, 0);
  }
}

const lengthOf = (value: unknown): number => (value === undefined ? 0 : (JSON.stringify(value) ?? "").length);
