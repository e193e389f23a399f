import type { GenerationEvent } from "@rhone/common";
import type { LoggedEvent } from "../token-log/append-events.js";
import type { EventLog } from "../token-log/token-log.js";

/** Keeps events in memory, by request. */
export class MemoryLog implements EventLog {
  readonly #events = new Map<string, GenerationEvent[]>();
  full = false;

  async append(events: readonly LoggedEvent[]): Promise<readonly string[]> {
    for (const { event } of events) this.of(event.requestId).push(event);
    return [];
  }

  of(requestId: string): GenerationEvent[] {
    const known = this.#events.get(requestId) ?? [];
    this.#events.set(requestId, known);
    return known;
  }
}
