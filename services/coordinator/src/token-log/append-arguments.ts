import { eventsChannel, FINISHED_LOG_TTL_S, OPEN_LOG_TTL_S, tokenLogEntryId, tokenLogKey } from "@rhone/common";
import type { LoggedEvent } from "./event-log.js";

/** What APPEND_SCRIPT takes for `events`, and the events in the order of its keys. */
export function appendArguments(events: readonly LoggedEvent[]) {
  const keys: string[] = [];
  const args: string[] = [];
  const order: LoggedEvent[] = [];
  for (const [replyTo, its] of byGateway(events)) {
    args.push(eventsChannel(replyTo), String(its.length));
    for (const logged of its) {
      const { requestId, ordinal } = logged.event;
      keys.push(tokenLogKey(requestId));
      args.push(tokenLogEntryId(ordinal), JSON.stringify(logged.event), secondsToLive(logged));
      order.push(logged);
    }
  }
  return { keys, args, order };
}

function byGateway(events: readonly LoggedEvent[]): ReadonlyMap<string, readonly LoggedEvent[]> {
  const groups = new Map<string, LoggedEvent[]>();
  for (const logged of events) {
    const group = groups.get(logged.replyTo);
    if (group === undefined) groups.set(logged.replyTo, [logged]);
    else group.push(logged);
  }
  return groups;
}

function secondsToLive({ event }: LoggedEvent): string {
  if (event.finish !== undefined) return String(FINISHED_LOG_TTL_S);
  return event.ordinal === 0 ? String(OPEN_LOG_TTL_S) : "";
}
