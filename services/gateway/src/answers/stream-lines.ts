import type { ChoiceEvent } from "../requests/merge-events.js";
import { SSE_DONE, sseData } from "./sse.js";
import { formatPosition, type StreamPosition } from "./stream-position.js";
import type { Writer } from "./writer.js";

export interface StreamLinesOptions {
  readonly writer: Writer;
  readonly choices: number;
  /** Give each event its id. Clients that cut `data: ` off an event without parsing it can't read one with an id. */
  readonly withIds: boolean;
  /** The last chunk that the client had: everything up to it is left out. */
  readonly after?: StreamPosition;
}

/** Server-sent events of an answer, if wanted with ids from which the stream can be gone on with, and [DONE] at the end. */
export async function* streamLines(
  events: AsyncIterable<ChoiceEvent>,
  { writer, choices, withIds, after }: StreamLinesOptions,
): AsyncGenerator<string, void, undefined> {
  const line = (json: string, position: StreamPosition) =>
    sseData(json, withIds ? formatPosition(position) : undefined);
  const taken = new Array<number>(choices).fill(0);
  for await (const choiceEvent of events) {
    const { choice } = choiceEvent;
    const count = (taken[choice] ?? 0) + 1;
    taken[choice] = count;
    const lines = writer.take(choiceEvent).flatMap((json, chunk) => {
      return wasSeen(after, choice, count, chunk) ? [] : [line(json, { taken, choice, chunk })];
    });
    // One part per event, with all the chunks that it makes: each part is a write.
    if (lines.length > 0) yield lines.join("");
  }
  const ending = writer.end().flatMap((json, chunk) => {
    return after?.choice === null && chunk <= after.chunk ? [] : [line(json, { taken, choice: null, chunk })];
  });
  yield ending.join("") + SSE_DONE;
}

function wasSeen(after: StreamPosition | undefined, choice: number, count: number, chunk: number): boolean {
  const had = after?.taken[choice] ?? 0;
  return count < had || (count === had && (after?.choice !== choice || chunk <= after.chunk));
}
