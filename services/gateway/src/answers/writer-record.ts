import type { TextModel } from "../text/text-model.js";
import { ChatWriter, type ChatWriterOptions } from "./chat-writer.js";
import { CompletionWriter, type CompletionWriterOptions } from "./completion-writer.js";
import type { Writer } from "./writer.js";

/** All that a writer needs besides the model, as JSON: any gateway of the model can write the answer from it. */
export type WriterRecord =
  | { readonly kind: "chat"; readonly options: Omit<ChatWriterOptions, "model"> }
  | { readonly kind: "completion"; readonly options: Omit<CompletionWriterOptions, "model"> };

export function openWriter(record: WriterRecord, model: TextModel): Writer {
  const pieces = { ...model, tokensAsIds: record.options.tokensAsIds };
  switch (record.kind) {
    case "chat":
      return new ChatWriter({ ...record.options, model: pieces });
    case "completion":
      return new CompletionWriter({ ...record.options, model: pieces });
  }
}
