import {
  encodeEvent,
  eventsChannel,
  FINISHED_LOG_TTL_S,
  type GenerationEvent,
  jobLockKey,
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
 * not in its log. KEYS: of each event its log and its job's lock. ARGV: for each gateway its channel and the number
 * of its events, then for each event the entry's id, the event, the log's new time to live in seconds or "", and the
 * token with which the job was taken. Returns the numbers (from 1) of the events that were refused, because the job's
 * lock has another token, or because their id was not above the last one in the log.
 */
export const APPEND_SCRIPT = `
local refused, number, at = {}, 0, 1
while at < #ARGV do
  local channel, count, written = ARGV[at], tonumber(ARGV[at + 1]), {}
  at = at + 2
  for _ = 1, count do
    number = number + 1
    local log, token = KEYS[2 * number - 1], redis.call('GET', KEYS[2 * number])
    local reply
    if not token or token == ARGV[at + 3] then reply = redis.pcall('XADD', log, ARGV[at], 'event', ARGV[at + 1]) end
    if type(reply) == 'table' and not string.find(reply.err, 'equal or smaller', 1, true) then return reply end
    if type(reply) ~= 'string' then
      refused[#refused + 1] = number
    else
      written[#written + 1] = ARGV[at + 1]
      if ARGV[at + 2] ~= '' then redis.call('EXPIRE', log, ARGV[at + 2]) end
    end
    at = at + 4
  end
  if #written > 0 then redis.call('PUBLISH', channel, '[' .. table.concat(written, ',') .. ']') end
end
return refused
`;

/**
 * The keys and arguments of APPEND_SCRIPT for `events`, and in the order of the keys the events and the bytes of their
 * entries. `tokenOf`: with which a request's job was taken.
 */
export function appendArguments(events: readonly LoggedEvent[], tokenOf: (requestId: string) => string) {
  const keys: string[] = [];
  const args: string[] = [];
  const order: LoggedEvent[] = [];
  const sizes: number[] = [];
  for (const [replyTo, its] of byGateway(events)) {
    args.push(eventsChannel(replyTo), String(its.length));
    for (const logged of its) {
      const { requestId, ordinal } = logged.event;
      keys.push(tokenLogKey(requestId), jobLockKey(logged.owner));
      const entry = encodeEvent(logged.event);
      args.push(tokenLogEntryId(ordinal), entry, secondsToLive(logged), tokenOf(requestId));
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
