import type { ChoiceEvent } from "../requests/merge-events.js";
import type { StreamPosition } from "./stream-position.js";

/**
 * The events of a stream that is written once more, as the client had them: everything that it saw, the event that it saw last,
 * then the rest. What a writer adds to the last choice to finish thus goes where it went, or would have gone, the first time.
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
