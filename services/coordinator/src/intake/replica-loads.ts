import { Condition, loadsKey } from "@rhone/common";
import type { Redis } from "ioredis";

/** A coordinator that has said nothing for longer takes no jobs: it died, hangs, or lost its pipeline. */
const FRESH_MS = 1000;
const KEPT_S = 60;

/**
 * KEYS: the loads, and for a job to be taken the queue's waiting jobs and its marker. ARGV: this coordinator, the jobs
 * that it holds, its limit, FRESH_MS, KEPT_S. Writes this coordinator's load, with the job that it may take. Returns
 * whether it may, then jobs and limit of each other coordinator. BullMQ's marker wakes one coordinator for a job; one
 * that may not take it wakes the next.
 */
const TELL = `
local time = redis.call("TIME")
local ms = time[1] * 1000 + math.floor(time[2] / 1000)
local held, limit = tonumber(ARGV[2]), tonumber(ARGV[3])
local loads, answer, least = redis.call("HGETALL", KEYS[1]), {1}, math.huge
for i = 1, #loads, 2 do
  local its, its_limit, at = string.match(loads[i + 1], "^(%d+) (%d+) (%d+)$")
  if loads[i] == ARGV[1] then
  elseif not at or at + ARGV[4] < ms then
    redis.call("HDEL", KEYS[1], loads[i])
  else
    answer[#answer + 1], answer[#answer + 2] = tonumber(its), tonumber(its_limit)
    least = math.min(least, its / its_limit)
  end
end
if KEYS[2] and held / limit <= least then
  held = held + 1
elseif KEYS[2] then
  answer[1] = 0
  if redis.call("ZCARD", KEYS[2]) > 0 then redis.call("ZADD", KEYS[3], 0, "0") end
end
redis.call("HSET", KEYS[1], ARGV[1], string.format("%.0f %.0f %.0f", held, limit, ms))
redis.call("EXPIRE", KEYS[1], ARGV[5])
return answer`;

/** Jobs that a coordinator holds, and the sequences that it runs at most. */
export interface Load {
  readonly held: number;
  readonly limit: number;
}

export interface ReplicaLoadsOptions {
  /** Borrowed. */
  readonly redis: Pick<Redis, "eval" | "hdel">;
  /** This coordinator. */
  readonly id: string;
  readonly model: string;
  readonly limit: number;
}

/** A queue that a job is to be taken from, by BullMQ's keys. */
export interface TakenFrom {
  readonly waitingKey: string;
  readonly markerKey: string;
}

/**
 * Shares a model's jobs among its coordinators: one takes a job only while no other is less loaded, in proportion to
 * the sequences that it runs at most. In a burst each would take what it can hold, and the first got most: 32 requests
 * over two coordinators ran at 0.63 of the speed of both.
 */
export class ReplicaLoads {
  readonly #options: ReplicaLoadsOptions;
  readonly #changed = new Condition();
  #held = 0;

  constructor(options: ReplicaLoadsOptions) {
    this.#options = options;
  }

  get own(): Load {
    return { held: this.#held, limit: this.#options.limit };
  }

  /** Changes when a job that this coordinator held has ended, or gone back. */
  get changed(): Condition {
    return this.#changed;
  }

  /** Whether a job may be taken now, which counts as held from here on, until `ended` or `release`. */
  async reserve({ waitingKey, markerKey }: TakenFrom): Promise<boolean> {
    const [may] = await this.#tell([waitingKey, markerKey]);
    if (may !== 1) return false;
    this.#held++;
    return true;
  }

  /** No job came. */
  release(): void {
    this.#held--;
  }

  /** A job that this coordinator held has ended, or gone back. */
  ended(): void {
    this.#held--;
    this.#changed.notify();
  }

  /** To be told while jobs are taken, more often than once a second. Returns the loads of the others that take jobs. */
  async tell(): Promise<readonly Load[]> {
    const [, ...others] = await this.#tell([]);
    return others.flatMap((held, at) => (at % 2 === 0 ? [{ held, limit: others[at + 1] ?? 1 }] : []));
  }

  /** The others do not wait for this coordinator from now on. */
  async leave(): Promise<void> {
    const { redis, model, id } = this.#options;
    await redis.hdel(loadsKey(model), id);
  }

  async #tell(keys: readonly string[]): Promise<readonly number[]> {
    const { redis, model, id, limit } = this.#options;
    const args = [id, this.#held, limit, FRESH_MS, KEPT_S];
    return (await redis.eval(TELL, 1 + keys.length, loadsKey(model), ...keys, ...args)) as readonly number[];
  }
}

/** Jobs that the least loaded of the others should have instead: afterwards the two are loaded alike. */
export function surplus(own: Load, others: readonly Load[]): number {
  const [first, ...rest] = others;
  if (first === undefined) return 0;
  const least = rest.reduce((least, one) => (one.held / one.limit < least.held / least.limit ? one : least), first);
  const moved = (own.held * least.limit - least.held * own.limit) / (own.limit + least.limit);
  return Math.max(0, Math.floor(moved));
}
