import type { RhoneError } from "@rhone/common";
import { hasTime, ownTurn } from "../turns.js";
import { formatPosition, type StreamPosition } from "./stream-position.js";
import type { ChoiceEvent, Writer } from "./writer.js";

export const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache",
  "x-accel-buffering": "no",
} as const;

export interface StreamLinesOptions {
  readonly writer: Writer;
  readonly choices: number;
  /** Gives each event an id. Clients that cut `data: ` off an event without parsing it cannot read one with an id. */
  readonly withIds: boolean;
  /** The last chunk that the client has; everything up to it is left out. */
  readonly after?: StreamPosition | undefined;
}

/**
 * The server-sent events of an answer, and the end that its dialect puts behind them. All chunks of an event are one
 * part, for one write.
 */
export async function* streamLines(
  events: AsyncIterable<ChoiceEvent>,
  { writer, choices, withIds, after }: StreamLinesOptions,
): AsyncGenerator<string, void, undefined> {
  const { event, done } = writer.dialect;
  // A client that reconnects names the last id it has.
  const line = (json: string, position: StreamPosition) =>
    (withIds ? `id: ${formatPosition(position)}\n` : "") + event(json);
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
  const last = ending.join("") + done;
  if (last !== "") yield last;
}

/** The events that end a stream which failed. */
export function failureLines(writer: Failing, error: RhoneError, requestId: string): string {
  const { dialect } = writer;
  const chunks = writer.failure?.(error, requestId) ?? [JSON.stringify(dialect.errorBody(error, requestId))];
  return chunks.map((json) => dialect.event(json)).join("");
}

/** Whose failure a stream tells. */
export type Failing = Pick<Writer, "dialect" | "failure">;

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
