import { RhoneError } from "@rhone/common/rhone-error";

/** A message as chat templates take it: text only, names in camelCase. The gateway translates from HTTP's shapes. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string | null;
  /** On an assistant message: the functions that it called. */
  readonly toolCalls?: readonly ChatToolCall[];
  /** On a tool message: the id of the call that it answers. */
  readonly toolCallId?: string;
  /** On a tool message: the function that was called. */
  readonly name?: string;
  /** On the last message, if it is the assistant's: the answer continues this text. */
  readonly prefix?: boolean;
}

export interface ChatToolCall {
  readonly id: string;
  readonly name: string;
  /** A JSON object, as text. */
  readonly arguments: string;
}

/** A function that the model may call; `parameters` is a JSON schema. */
export interface ChatTool {
  readonly name: string;
  readonly description?: string;
  readonly parameters?: unknown;
}

export interface ChatOptions {
  readonly tools?: readonly ChatTool[];
  /**
   * Whether the prompt ends with the mark that begins an assistant's turn; true when absent. Mistral's templates have
   * none, and an empty user message instead behind an assistant's.
   */
  readonly addGenerationPrompt?: boolean;
  /** More variables for a model's own Jinja template. */
  readonly templateArguments?: Readonly<Record<string, unknown>>;
}

/**
 * The caller's messages have no form in the template. `problem` continues the sentence, without a full stop. `param`:
 * the message, where it is one.
 */
export const cannotEncode = (problem: string, param = "messages"): RhoneError =>
  new RhoneError("CHAT_TEMPLATE_FAILED", `The chat template cannot encode this: ${problem}.`, { param });
