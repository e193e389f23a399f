import { z } from "zod";
import type { Pieces } from "../text/logprobs.js";
import type { TextModel } from "../text/text-model.js";
import type { FrameOptions } from "./answer-frame.js";
import { ChatWriter, chatWriterSchema } from "./chat-writer.js";
import { CompletionWriter, completionWriterSchema } from "./completion-writer.js";
import { MessagesWriter, messagesWriterSchema } from "./messages-writer.js";
import { ResponseWriter, responseWriterSchema } from "./response-writer.js";
import type { Writer } from "./writer.js";

/** Raise it when a gateway of the release before could no longer write the same answer from a record. */
export const WRITER_VERSION = 1;

/** Records without a version are of version 1. */
const version = z.literal(WRITER_VERSION).default(WRITER_VERSION);

export const writerRecordSchema = z.discriminatedUnion("kind", [
  z.object({ version, kind: z.literal("chat"), options: chatWriterSchema }),
  z.object({ version, kind: z.literal("completion"), options: completionWriterSchema }),
  z.object({ version, kind: z.literal("responses"), options: responseWriterSchema }),
  z.object({ version, kind: z.literal("messages"), options: messagesWriterSchema }),
]);

/** Everything a writer needs besides the model, as JSON: every gateway of the model can write the answer from it. */
export type WriterRecord = Readonly<z.output<typeof writerRecordSchema>>;

/** What the prompts of a record that was read take in memory. */
export function promptBytes({ kind, options }: WriterRecord): number {
  switch (kind) {
    case "chat":
      return 8 * options.promptIds.length;
    case "completion":
      return options.prompts.reduce((sum, { ids, text }) => sum + 8 * ids.length + 2 * text.length, 0);
    case "responses":
      return 2 * JSON.stringify(options.echo).length;
    case "messages":
      return 0;
  }
}

/** The model as the answer names its tokens. */
export const piecesOf = (model: TextModel, { tokensAsIds }: Pick<FrameOptions, "tokensAsIds">): Pieces => ({
  ...model,
  tokensAsIds,
});

export function openWriter(record: WriterRecord, model: TextModel): Writer {
  const { kind, options } = record;
  switch (kind) {
    case "chat":
      return new ChatWriter(options, piecesOf(model, options));
    case "completion":
      return new CompletionWriter(options, piecesOf(model, options));
    case "responses":
      return new ResponseWriter(options, model);
    case "messages":
      return new MessagesWriter(options, model);
  }
}
