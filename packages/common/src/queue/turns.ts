import type { Redis } from "ioredis";
import { RhoneError } from "../errors/rhone-error.js";
import type { GenerationJob } from "./generation-job.js";
import { type JobQueue, placesKey, turnsKey } from "./redis-names.js";

/** The hash's fields: the turn of an owner's last job, and the turn of the job that ended last. */
const turnOf = (keyId: string): string => `of:${keyId}`;
const NOW = "now";

/** BullMQ's greatest priority; jobs beyond it are served in the order of their arrival. */
const LAST_TURN = 2 ** 21;
/** Above this turns begin at 1 again as soon as nothing waits. */
const MANY_TURNS = 2 ** 20;
const KEPT_S = 24 * 3600;
/** A job that is not in the queue this long after it took its place was left behind by a process that died. */
const PENDING_MS = 60_000;

/**
 * KEYS: the queue's turns, its waiting jobs, its places, and the owner's unless that is nobody. ARGV: the
 * owner's field, the field of the present turn, limits, the job, the most places, PENDING_MS. Returns the turn, or 0
 * where there is no place; the number of waiting jobs; and the number of the owner's.
 */
const TAKE_TURN = `
local time = redis.call("TIME")
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
local function count(places)
  local first = redis.call("ZRANGE", places, 0, 0, "WITHSCORES")
  while first[1] and first[2] + ARGV[8] < ms and not redis.call("ZSCORE", KEYS[2], first[1]) do
    redis.call("ZREM", places, first[1])
    first = redis.call("ZRANGE", places, 0, 0, "WITHSCORES")
  end
  return redis.call("ZCARD", places)
end
local waiting = math.max(redis.call("ZCARD", KEYS[2]), count(KEYS[3]))
local held = KEYS[4] and count(KEYS[4]) or 0
local free = ARGV[7] - waiting
if free <= 0 or (held > 0 and held >= free) then
  return {0, waiting, held}
end
for i = 3, #KEYS do
  redis.call("ZADD", KEYS[i], ms, ARGV[6])
  redis.call("EXPIRE", KEYS[i], ARGV[5])
end
local now = tonumber(redis.call("HGET", KEYS[1], ARGV[2]) or 0)
local last = tonumber(redis.call("HGET", KEYS[1], ARGV[1]) or 0)
local turn = math.max(now, last + 1)
if turn > tonumber(ARGV[3]) and redis.call("ZCARD", KEYS[2]) == 0 then
  redis.call("DEL", KEYS[1])
  turn = 1
end
turn = math.min(turn, tonumber(ARGV[4]))
redis.call("HSET", KEYS[1], ARGV[1], turn)
redis.call("EXPIRE", KEYS[1], ARGV[5])
return {turn, waiting, held}`;

/** What takes a place in a queue. */
export type QueuedJob = Pick<GenerationJob, "requestId" | "model" | "lane" | "keyId">;

export interface QueuePlaces {
  /** BullMQ's set of waiting jobs. */
  readonly waitingKey: string;
  /** Jobs that may wait. */
  readonly most: number;
}

/**
 * Takes a place in the queue, and returns the job's turn, from 1 on: one behind its owner's last, but not before the
 * turn of the job that ended last, so that nobody saves up turns. As the job's priority in the queue it lets a light
 * owner's job pass a heavy one's backlog. Start-time fair queueing: Goyal, Vin, Cheng (SIGCOMM 1996).
 *
 * Throws QUEUE_FULL when `most` wait, or when its API key would have more places than it leaves free, so that no key's
 * backlog refuses another's first job. One script counts the places of all gateways; `leaveQueue` gives one back.
 */
export async function takeTurn(
  redis: Pick<Redis, "eval">,
  job: QueuedJob,
  { waitingKey, most }: QueuePlaces,
): Promise<number> {
  const keys = [turnsKey(job), waitingKey, ...placesOf(job)];
  const args = [turnOf(job.keyId), NOW, MANY_TURNS, LAST_TURN, KEPT_S, job.requestId, most, PENDING_MS];
  const answer = await redis.eval(TAKE_TURN, keys.length, ...keys, ...args);
  const [turn, waiting, held] = answer as [number, number, number];
  if (turn === 0) throw queueFull({ waiting, held, most });
  return turn;
}

/** The job waits no longer: a coordinator has taken it, or it was cancelled. */
export async function leaveQueue(redis: Pick<Redis, "zrem">, job: QueuedJob): Promise<void> {
  await Promise.all(placesOf(job).map((key) => redis.zrem(key, job.requestId)));
}

/** The sets of waiting jobs that a job of the queue and API key is in. */
export const placesOf = (job: JobQueue & Pick<QueuedJob, "keyId">): readonly string[] =>
  job.keyId === "" ? [placesKey(job)] : [placesKey(job), placesKey(job, job.keyId)];

/** A job with this turn has ended: owners that come back have no earlier ones. */
export async function endTurn(redis: Pick<Redis, "hset">, queue: JobQueue, turn: number): Promise<void> {
  await redis.hset(turnsKey(queue), NOW, `${turn}`);
}

interface FullQueue {
  readonly waiting: number;
  readonly held: number;
  readonly most: number;
}

function queueFull({ waiting, held, most }: FullQueue): RhoneError {
  const places = `${waiting} choices wait for a coordinator, of at most ${most} for all clients (--max-queued)`;
  const share = `; ${held} of them are of this API key, which may have no more places than it leaves free`;
  return new RhoneError("QUEUE_FULL", `${places}${waiting < most ? share : ""}; try again shortly.`);
}
