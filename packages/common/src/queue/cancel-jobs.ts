import type { Redis } from "ioredis";
import { CANCEL_CHANNEL, cancelledKey, tokenLogKey } from "./redis-names.js";
import { placesOf, type QueuedJob } from "./turns.js";

const CANCELLED_TTL_S = 3600;

/**
 * KEYS: of each job the flag, the token log and BullMQ's entry; then the sets of places that the jobs may have. ARGV:
 * the flags' time to live, the channel, the jobs' ids. The flag stops a coordinator that takes the job later, the
 * message one that runs it now. A job whose log has ended is left as it is: quotes inside of texts are escaped, so
 * that only an event's field reads `"finish":`. Returns the numbers (from 1) of jobs that wait in the queue.
 */
const CANCEL_JOBS = `
local queued, jobs = {}, #ARGV - 2
for job = 1, jobs do
  local id, entry = ARGV[job + 2], KEYS[3 * job]
  local last = redis.call("XREVRANGE", KEYS[3 * job - 1], "+", "-", "COUNT", 1)[1]
  if not (last and string.find(last[2][2], '"finish":', 1, true)) then
    redis.call("SET", KEYS[3 * job - 2], "1", "EX", ARGV[1])
    redis.call("PUBLISH", ARGV[2], id)
    for places = 3 * jobs + 1, #KEYS do redis.call("ZREM", KEYS[places], id) end
    if redis.call("EXISTS", entry) == 1 and redis.call("EXISTS", entry .. ":lock") == 0 then
      queued[#queued + 1] = job
    end
  end
end
return queued`;

/** The commands used of a BullMQ queue. */
export interface CancelQueue {
  toKey(id: string): string;
  remove(id: string): Promise<unknown>;
}

/** Cancels jobs of one queue and API key, queued or running; those that have ended stay as they are. */
export async function cancelJobs(
  redis: Pick<Redis, "eval">,
  queue: CancelQueue,
  jobs: readonly QueuedJob[],
): Promise<void> {
  const [first] = jobs;
  if (first === undefined) return;
  const ids = jobs.map(({ requestId }) => requestId);
  const keys = ids.flatMap((id) => [cancelledKey(id), tokenLogKey(id), queue.toKey(id)]);
  keys.push(...placesOf(first));
  const queued = await redis.eval(CANCEL_JOBS, keys.length, ...keys, CANCELLED_TTL_S, CANCEL_CHANNEL, ...ids);
  await Promise.all((queued as number[]).map((job) => queue.remove(ids[job - 1] ?? "")));
}
