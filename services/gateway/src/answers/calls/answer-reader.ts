import type { CallFormat } from "../../requests/tools/call-rules.js";
import type { TextModel } from "../../text/text-model.js";
import { type AnswerPart, CallReader } from "./call-reader.js";

export type AnswerReader = Pick<CallReader, "isUndecided" | "take" | "end">;

const PLAIN: AnswerReader = {
  isUndecided: false,
  take: (_, text): readonly AnswerPart[] => (text === "" ? [] : [{ kind: "text", text }]),
  end: () => [],
};

/** Reads one answer; without a format, all of it is text. */
export function answerReader(format: CallFormat | null, model: Pick<TextModel, "pieceBytes">): AnswerReader {
  if (format === null) return PLAIN;
  const { marker } = format;
  return new CallReader(format, marker === null ? "" : model.pieceBytes(marker, { special: true }).toString("utf8"));
}
