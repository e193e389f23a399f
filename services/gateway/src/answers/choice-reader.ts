import type { GenerationEvent } from "@rhone/common";
import { mistralCallId } from "@rhone/model";
import { z } from "zod";
import { leadingSpaceStripper, type TextModel } from "../text/text-model.js";
import { callFormatSchema } from "./calls/call-format.js";
import { type AnswerReader, answerReader, type FunctionCall } from "./calls/call-reader.js";

/** How a chat's events become text and calls. */
export const answerShapeSchema = z.object({
  /** The first piece of an answer begins with a space that is the tokenizer's, not the model's. */
  stripsSpace: z.boolean(),
  /** Text that every answer begins with before anything is generated; "" for most. */
  opening: z.string(),
  /** How calls are told from text; null: all of the answer is text. */
  calls: callFormatSchema.nullable(),
});
export type AnswerShape = Readonly<z.infer<typeof answerShapeSchema>>;

export interface IdentifiedCall extends FunctionCall {
  readonly id: string;
}

/** In the order of the answer: a text may precede calls or follow them. No text is empty. */
export type ChoicePart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "call"; readonly call: IdentifiedCall };

export interface ReadChoice {
  /** The request's. */
  readonly id: string;
  readonly choice: number;
}

/** Reads the events of one choice of a chat as text and calls. */
export class ChoiceReader {
  readonly #of: ReadChoice;
  readonly #strip: (text: string) => string;
  readonly #reader: AnswerReader;
  #opening: string;
  #calls = 0;

  constructor(of: ReadChoice, { stripsSpace, opening, calls }: AnswerShape, model: Pick<TextModel, "pieceBytes">) {
    this.#of = of;
    this.#strip = leadingSpaceStripper(stripsSpace);
    this.#reader = answerReader(calls, model);
    this.#opening = opening;
  }

  /** Whether the answer may still turn out to be calls only. */
  get isUndecided(): boolean {
    return this.#reader.isUndecided;
  }

  /** Calls so far. */
  get calls(): number {
    return this.#calls;
  }

  /** What the event adds: text that is certain, and calls that are complete. */
  take({ tokens, text, finish }: GenerationEvent): readonly ChoicePart[] {
    const read = [
      { kind: "text" as const, text: this.#opening },
      ...this.#reader.take(tokens, this.#strip(text)),
      ...(finish === undefined ? [] : this.#reader.end()),
    ];
    this.#opening = "";
    return read.flatMap((part): readonly ChoicePart[] => {
      if (part.kind === "call") return [{ kind: "call", call: this.#identify(part.call) }];
      return part.text === "" ? [] : [part];
    });
  }

  /** Ids are derived from the request's, so that every gateway gives a call the same one. */
  #identify(call: FunctionCall): IdentifiedCall {
    const { id, choice } = this.#of;
    return { id: mistralCallId(`${id}-${choice}-${this.#calls++}`), ...call };
  }
}

/** The text of these parts, without the calls. */
export const textOfParts = (parts: readonly ChoicePart[]): string =>
  parts.map((part) => (part.kind === "text" ? part.text : "")).join("");
