import type { Redis } from "ioredis";
import type { GenerationJob } from "./generation-job.js";
import { turnsKey } from "./redis-names.js";

/** The hash's fields: the turn of an owner's last job, and the turn of the job that ended last. */
const turnOf = (keyId: string): string => `of:${keyId}`;
const NOW = "now";

/** BullMQ's greatest priority; jobs beyond it are served in the order of their arrival. */
const LAST_TURN = 2 ** 21;
/** Above this turns begin at 1 again as soon as nothing waits. */
const MANY_TURNS = 2 ** 20;
const KEPT_S = 24 * 3600;

/** KEYS: the lane's turns, the queue's waiting jobs. ARGV: the owner's field, the field of the present turn, limits. */
const TAKE_TURN = `
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
return turn`;

/**
 * The next turn of a job's owner, from 1 on: one behind the owner's last, but not before the turn of the job that ended
 * last, so that nobody saves up turns. As the job's priority in the queue it lets a light owner's job pass a heavy
 * one's backlog. `waitingKey`: BullMQ's set of waiting jobs. Start-time fair queueing: Goyal, Vin, Cheng (SIGCOMM
 * 1996).
 */
export async function takeTurn(
  redis: Pick<Redis, "eval">,
  { lane, keyId }: Pick<GenerationJob, "lane" | "keyId">,
  waitingKey: string,
): Promise<number> {
  const args = [turnOf(keyId), NOW, MANY_TURNS, LAST_TURN, KEPT_S];
  return Number(await redis.eval(TAKE_TURN, 2, turnsKey(lane), waitingKey, ...args));
}

/** A job with this turn has ended: owners that come back have no earlier ones. */
export async function endTurn(redis: Pick<Redis, "hset">, lane: GenerationJob["lane"], turn: number): Promise<void> {
  await redis.hset(turnsKey(lane), NOW, `${turn}`);
}
