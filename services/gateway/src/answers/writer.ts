import type { ChoiceEvent } from "../requests/merge-events.js";

/** Turns a request's events into its JSON: chunks as they come, or one whole answer at the end. */
export interface Writer {
  /** Takes an event in; the JSON of the chunks that it makes, if the answer is a stream. */
  take(choiceEvent: ChoiceEvent): readonly string[];
  /** The chunks after the last event. */
  end(): readonly string[];
  whole(): unknown;
  readonly usage: {
    readonly prompt_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
    readonly completion_tokens: number;
  };
}
