import { RequestError } from "../request-error.js";
import type { ChoiceEvent } from "./writer.js";

/**
 * Where a chunk is in a stream: how many events of each choice were written up to and with it, whose event it belongs
 * to, and which of that event's chunks it is. Each choice is counted by itself, because events of several choices may
 * reach two gateways in different orders; those of one choice do not.
 */
export interface StreamPosition {
  readonly taken: readonly number[];
  /** null: the chunk comes after the last event. */
  readonly choice: number | null;
  readonly chunk: number;
}

/** The `id` of a chunk: "5:0:1" is the second one of choice 0's fifth event, "5.7:end:0" the usage at the end. */
export const formatPosition = ({ taken, choice, chunk }: StreamPosition): string =>
  `${taken.join(".")}:${choice ?? "end"}:${chunk}`;

/** Throws INVALID_REQUEST for an id that no stream with this number of choices gives out. */
export function parsePosition(id: string, choices: number): StreamPosition {
  const [, counts, of, chunk] = /^(\d{1,9}(?:\.\d{1,9})*):(\d{1,4}|end):(\d{1,4})$/.exec(id) ?? [];
  const taken = counts?.split(".").map(Number) ?? [];
  const choice = of === "end" ? null : Number(of);
  if (taken.length === choices && (choice === null || (taken[choice] ?? 0) > 0)) {
    return { taken, choice, chunk: Number(chunk) };
  }
  throw new RequestError("INVALID_REQUEST", `Last-Event-ID: ${JSON.stringify(id)} is not an id of this stream.`, {
    param: "Last-Event-ID",
  });
}

/**
 * The events of a stream that is written again, in the order in which the client got them: first all that it has, of
 * these the one it got last at the end, then the rest. So chunks that a writer adds to the last choice to finish go
 * where they went the first time.
 */
export async function* replayOrder(
  events: AsyncIterable<ChoiceEvent>,
  { taken, choice: lastChoice }: StreamPosition,
): AsyncGenerator<ChoiceEvent, void, undefined> {
  const counts = taken.map(() => 0);
  let missing = taken.reduce((sum, count) => sum + count, 0);
  let lastSeen: ChoiceEvent | undefined;
  const held: ChoiceEvent[] = [];
  for await (const event of events) {
    const count = (counts[event.choice] ?? 0) + 1;
    counts[event.choice] = count;
    const had = taken[event.choice] ?? 0;
    if (count > had) held.push(event);
    else if (count === had && event.choice === lastChoice) lastSeen = event;
    else yield event;
    if (count <= had) missing--;
    if (missing > 0) continue;
    if (lastSeen !== undefined) yield lastSeen;
    lastSeen = undefined;
    yield* held.splice(0);
  }
}
