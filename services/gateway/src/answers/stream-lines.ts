import { hasTime, ownTurn } from "../turns.js";
import { formatPosition, type StreamPosition } from "./stream-position.js";
import type { ChoiceEvent, Writer } from "./writer.js";

export const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
} as const;

const SSE_DONE = "data: [DONE]\n\n";

/** One server-sent event. `json` has no line breaks. A client that reconnects names the last `id` it has. */
export const sseData = (json: string, id?: string): string =>
  `${id === undefined ? "" : `id: ${id}\n`}data: ${json}\n\n`;

export interface StreamLinesOptions {
  readonly writer: Writer;
  readonly choices: number;
  /** Gives each event an id. Clients that cut `data: ` off an event without parsing it cannot read one with an id. */
  readonly withIds: boolean;
  /** The last chunk that the client has; everything up to it is left out. */
  readonly after?: StreamPosition | undefined;
}

/** The server-sent events of an answer, [DONE] at the end. All chunks of an event are one part, for one write. */
export async function* streamLines(
  events: AsyncIterable<ChoiceEvent>,
  { writer, choices, withIds, after }: StreamLinesOptions,
): AsyncGenerator<string, void, undefined> {
  const line = (json: string, position: StreamPosition) =>
    sseData(json, withIds ? formatPosition(position) : undefined);
  const taken = new Array<number>(choices).fill(0);
  for await (const choiceEvent of events) {
    // Of a stream that is written again, all events may be there at once. Those of 64 streams come in one message, and
    // go to all readers of each: with 20 log-probabilities for each of 16 tokens, their chunks take 100 ms.
    if (!hasTime()) await ownTurn("event");
    const { choice } = choiceEvent;
    const count = (taken[choice] ?? 0) + 1;
    taken[choice] = count;
    const hasAll = after !== undefined && wasSeen(after, { choice, count, chunk: Number.POSITIVE_INFINITY });
    const lines = writer.take(choiceEvent, hasAll ? "later" : "chunks").flatMap((json, chunk) => {
      const isSeen = after !== undefined && wasSeen(after, { choice, count, chunk });
      return isSeen ? [] : [line(json, { taken, choice, chunk })];
    });
    if (lines.length > 0) yield lines.join("");
  }
  const ending = writer.end().flatMap((json, chunk) => {
    return after?.choice === null && chunk <= after.chunk ? [] : [line(json, { taken, choice: null, chunk })];
  });
  yield ending.join("") + SSE_DONE;
}

interface ChunkPlace {
  readonly choice: number;
  /** Events of the choice up to and with this one. */
  readonly count: number;
  readonly chunk: number;
}

function wasSeen(after: StreamPosition, { choice, count, chunk }: ChunkPlace): boolean {
  const seen = after.taken[choice] ?? 0;
  return count < seen || (count === seen && (after.choice !== choice || chunk <= after.chunk));
}
