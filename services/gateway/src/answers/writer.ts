import type { GenerationEvent, RhoneError } from "@rhone/common";
import { timeLeft } from "../turns.js";
import type { Dialect } from "./dialect.js";

/** An event, and which of the request's choices it belongs to. */
export interface ChoiceEvent {
  readonly choice: number;
  readonly event: GenerationEvent;
}

/** What a writer keeps of one choice. Throws RangeError for a choice that the request does not have. */
export function choiceAt<T>(choices: readonly T[], index: number): T {
  const choice = choices[index];
  if (choice === undefined) throw new RangeError(`The request has ${choices.length} choices, no choice ${index}`);
  return choice;
}

/**
 * What an event is taken in for: its chunks, the whole answer, or only the chunks of later events, where the client has
 * its own. A stream keeps nothing of its events: 50 resumptions of 14,400 with 20 alternatives each took 0.5 GB.
 */
export type Purpose = "chunks" | "whole" | "later";

/** Turns a request's events into its JSON: chunks as they arrive, or one whole answer at the end. */
export interface Writer {
  readonly dialect: Dialect;
  /** Takes one event in. Returns the JSON of each chunk it makes, which is none unless it is taken for its chunks. */
  take(choiceEvent: ChoiceEvent, purpose: Purpose): readonly string[];
  /** The chunks after the last event. */
  end(): readonly string[];
  /** The chunks that tell a failure in the stream; absent: the dialect's error body is the only one. */
  failure?(error: RhoneError, requestId: string): readonly string[];
  /** The answer that the events taken for it make, for `jsonInTurns`: it may have many megabytes. */
  whole(): Promise<unknown>;
  /** Complete once every choice has finished. */
  readonly usage: {
    readonly prompt_tokens: number;
    readonly prompt_tokens_details: { readonly cached_tokens: number };
    readonly completion_tokens: number;
  };
}

/**
 * Takes in all events of a request. Returns its whole answer. Nobody waits for one of its events as the client of a
 * stream does, so they wait in the line of work: behind 256 short answers, a stream's event came 0.5 s late.
 */
export async function wholeAnswer(events: AsyncIterable<ChoiceEvent>, writer: Writer): Promise<unknown> {
  for await (const event of events) {
    writer.take(event, "whole");
    await timeLeft();
  }
  return writer.whole();
}
