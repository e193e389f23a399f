import { z } from "zod";
import type { TextModel } from "../text/text-model.js";
import { ChatWriter, chatWriterSchema } from "./chat-writer.js";
import { CompletionWriter, completionWriterSchema } from "./completion-writer.js";
import type { Writer } from "./writer.js";

/** Raise it when a gateway of the release before could no longer write the same answer from a record. */
export const WRITER_VERSION = 1;

/** Records without a version are of version 1. */
const version = z.literal(WRITER_VERSION).default(WRITER_VERSION);

export const writerRecordSchema = z.discriminatedUnion("kind", [
  z.object({ version, kind: z.literal("chat"), options: chatWriterSchema }),
  z.object({ version, kind: z.literal("completion"), options: completionWriterSchema }),
]);

/** Everything a writer needs besides the model, as JSON: every gateway of the model can write the answer from it. */
export type WriterRecord = Readonly<z.output<typeof writerRecordSchema>>;

export function openWriter(record: WriterRecord, model: TextModel): Writer {
  const pieces = { ...model, tokensAsIds: record.options.tokensAsIds };
  switch (record.kind) {
    case "chat":
      return new ChatWriter(record.options, pieces);
    case "completion":
      return new CompletionWriter(record.options, pieces);
  }
}
