import type { GenerationEvent } from "@rhone/common";
import type { LoggedEvent } from "./event-log.js";

/**
 * One event per request: those that wait to be written together are one entry and one announcement. The joint event has the
 * ordinal of its first and says how many it joins. Requests keep the order in which they first appear.
 */
export function joinEvents(events: readonly LoggedEvent[]): readonly LoggedEvent[] {
  const byRequest = new Map<string, LoggedEvent>();
  for (const logged of events) {
    const { requestId } = logged.event;
    const earlier = byRequest.get(requestId);
    byRequest.set(requestId, earlier === undefined ? logged : { ...logged, event: join(earlier.event, logged.event) });
  }
  return byRequest.size === events.length ? events : [...byRequest.values()];
}

/** Whatever only the later one may carry (finish, usage) is taken from it; prompt scores are on a request's first event. */
function join(earlier: GenerationEvent, later: GenerationEvent): GenerationEvent {
  return {
    ...earlier,
    ...later,
    ordinal: earlier.ordinal,
    joins: (earlier.joins ?? 1) + (later.joins ?? 1),
    tokens: [...earlier.tokens, ...later.tokens],
    text: earlier.text + later.text,
    ...(earlier.logprobs !== undefined && { logprobs: [...earlier.logprobs, ...(later.logprobs ?? [])] }),
  };
}
