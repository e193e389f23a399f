import type { Vocabulary } from "@rhone/ggml";
import type { ChatMessage, ChatOptions } from "./chat-message.js";

/**
 * Mistral's own encodings by version; ChatML; the template in the file (`jinja`); or none: a base model, whose encoding
 * always fails.
 */
export const CHAT_TEMPLATE_NAMES = ["mistral-v1", "mistral-v2", "mistral-v3", "chatml", "jinja", "none"] as const;
export type ChatTemplateName = (typeof CHAT_TEMPLATE_NAMES)[number];

/** A template that somebody chose: by its name, or another one by its Jinja source. */
export type ChatTemplateChoice = ChatTemplateName | { readonly source: string };

/** Turns a conversation into the token ids of a prompt, BOS included. */
export interface ChatTemplate {
  readonly name: ChatTemplateName;
  /** The Jinja source that it runs, for as long as that takes; undefined for Mistral's own and none. */
  readonly source: string | undefined;
  /** Why it encodes nothing, as a sentence; undefined if it does. */
  readonly refusal: string | undefined;
  /** Whether blanks at the end of an answer are left out of the prompt, unless it is blank. */
  readonly trimsAnswers: boolean;
  /**
   * The token that begins an answer made of function calls; undefined when calls are written as JSON (`toolsAsText`).
   */
  readonly callToken: number | undefined;
  /** Throws CHAT_TEMPLATE_FAILED (the caller's fault) when the template has no form for these messages. */
  encode(messages: readonly ChatMessage[], options?: ChatOptions): Int32Array;
}

/** What templates need of a vocabulary: its special tokens and its tokenizer. */
export type ChatVocabulary = Pick<Vocabulary, "bos" | "eos" | "tokenize" | "controlTokens">;

export interface ReadingOptions {
  /** Whether names of control tokens in the callers' texts are these tokens. Default: false, they stay text. */
  readonly parseSpecial?: boolean | undefined;
}
