/** A conversation as a chat template takes it: text only, names in camelCase; the gateway translates HTTP's shapes. */
export interface ChatMessage {
  readonly role: "system" | "user" | "assistant" | "tool";
  readonly content: string | null;
  /** Of an assistant that called functions. */
  readonly toolCalls?: readonly ChatToolCall[];
  /** Of a tool message: the call that it answers. */
  readonly toolCallId?: string;
  /** Of a tool message: the function that was called. */
  readonly name?: string;
  /** Of the last assistant message: the answer shall go on from this text. */
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
  /** Ends the prompt where the assistant begins; true when absent. Mistral's templates have no such mark and ignore it. */
  readonly addGenerationPrompt?: boolean;
  /** More variables for a model's own Jinja template. */
  readonly templateArguments?: Readonly<Record<string, unknown>>;
}
