import {
  encodeEvent,
  eventsChannel,
  FINISHED_LOG_TTL_S,
  type GenerationEvent,
  OPEN_LOG_TTL_S,
  tokenLogEntryId,
  tokenLogKey,
} from "@rhone/common";
import type { LogOwner } from "./finished-logs.js";

/** An event and the job that it is of. */
export interface LoggedEvent {
  readonly owner: LogOwner;
  readonly event: GenerationEvent;
}

/**
 * Joins the events of each request into one, which becomes one entry and one announcement. The joint event has the
 * ordinal of its first event and says how many it joins. Requests keep the order in which they first appear.
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

/** Fields that only a request's last event carries (finish, usage) come from the later one. */
function join(earlier: GenerationEvent, later: GenerationEvent): GenerationEvent {
  return {
    ...earlier,
    ...later,
    ordinal: earlier.ordinal,
    joins: (earlier.joins ?? 1) + (later.joins ?? 1),
    tokens: [...earlier.tokens, ...later.tokens],
    text: earlier.text + later.text,
    ...joined("logprobs", earlier, later),
    ...joined("promptLogprobs", earlier, later),
  };
}

function joined(
  name: "logprobs" | "promptLogprobs",
  { [name]: first }: GenerationEvent,
  { [name]: second }: GenerationEvent,
) {
  return first === undefined || second === undefined ? {} : { [name]: [...first, ...second] };
}

/**
 * Writes events to their logs and announces the ones that were written, in one command: no event is announced that is
 * not in its log. KEYS: one log per event. ARGV: for each gateway its channel and the number of its events, then for
 * each event the entry's id, the event, and the log's new time to live in seconds or "". Returns the numbers (from 1)
 * of the events that were refused because their id was not above the last one in the log.
 */
export const APPEND_SCRIPT = `
local refused, key, at = {}, 0, 1
while at < #ARGV do
  local channel, count, written = ARGV[at], tonumber(ARGV[at + 1]), {}
  at = at + 2
  for _ = 1, count do
    key = key + 1
    local reply = redis.pcall('XADD', KEYS[key], ARGV[at], 'event', ARGV[at + 1])
    if type(reply) == 'table' then
      if not string.find(reply.err, 'equal or smaller', 1, true) then return reply end
      refused[#refused + 1] = key
    else
      written[#written + 1] = ARGV[at + 1]
      if ARGV[at + 2] ~= '' then redis.call('EXPIRE', KEYS[key], ARGV[at + 2]) end
    end
    at = at + 3
  end
  if #written > 0 then redis.call('PUBLISH', channel, '[' .. table.concat(written, ',') .. ']') end
end
return refused
`;

/**
 * The keys and arguments of APPEND_SCRIPT for `events`, and in the order of the keys the events and the bytes of their
 * entries.
 */
export function appendArguments(events: readonly LoggedEvent[]) {
  const keys: string[] = [];
  const args: string[] = [];
  const order: LoggedEvent[] = [];
  const sizes: number[] = [];
  for (const [replyTo, its] of byGateway(events)) {
    args.push(eventsChannel(replyTo), String(its.length));
    for (const logged of its) {
      const { requestId, ordinal } = logged.event;
      keys.push(tokenLogKey(requestId));
      const entry = encodeEvent(logged.event);
      args.push(tokenLogEntryId(ordinal), entry, secondsToLive(logged));
      order.push(logged);
      sizes.push(entry.length);
    }
  }
  return { keys, args, order, sizes };
}

function byGateway(events: readonly LoggedEvent[]): ReadonlyMap<string, readonly LoggedEvent[]> {
  const byId = new Map<string, LoggedEvent[]>();
  for (const logged of events) {
    const { replyTo } = logged.owner;
    const known = byId.get(replyTo);
    if (known === undefined) byId.set(replyTo, [logged]);
    else known.push(logged);
  }
  return byId;
}

function secondsToLive({ event }: LoggedEvent): string {
  if (event.finish !== undefined) return String(FINISHED_LOG_TTL_S);
  return event.ordinal === 0 ? String(OPEN_LOG_TTL_S) : "";
}
