import { Condition, callChannel, calledKey, type GenerationJob, loadsKey, prefixesKey } from "@rhone/common";
import type { Redis } from "ioredis";
import type { Engine } from "../engine/engine.js";
import { COSTS } from "./replica-costs.js";

/** A coordinator that has said nothing for longer takes no jobs: it died, hangs, or lost its pipeline. */
const FRESH_MS = 1000;
/** A coordinator that was called for a job and has not taken it after this time loses it to the others. */
const SLOW_MS = 250;
const KEPT_S = 60;

type Lane = GenerationJob["lane"];

/**
 * KEYS: the loads; the queue's waiting jobs, those without a turn, and who is called. ARGV: as COSTS, then the lane,
 * the beginning of BullMQ's keys of jobs, the beginning of channels, SLOW_MS. Returns the rows that this coordinator
 * has to compute for the first waiting job when it may take that one, and -1 otherwise.
 *
 * The first to ask decides who takes the job, and calls that coordinator. Others believe it, until the job is taken, or
 * that coordinator is slow or gone. The called one decides again, since others may have less to do by now.
 */
const ASK = `${COSTS}
local LANE, JOB, CALL, SLOW = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local first = redis.call("LINDEX", KEYS[3], -1) or redis.call("ZRANGE", KEYS[2], 0, 0)[1]
if not first then return -1 end
local loads, slow = living(), nil
local job, called, since = string.match(redis.call("GET", KEYS[4]) or "", "^(.*) (%S+) (%d+)$")
if job == first and called ~= ME then
  if since + SLOW <= ms then
    slow = called
  else
    for _, load in ipairs(loads) do if load.id == called then return -1 end end
  end
end
local data = redis.call("HGET", JOB .. first, "data") or ""
local _, at = string.find(data, '"route":"', 1, true)
local route = routed(at and string.match(data, '^([^"]*)"', at + 1) or "")
local best, least, lacks
for _, load in ipairs(loads) do
  if load[LANE] > 0 and load.id ~= slow then
    local its, missing = cost(load, route)
    if not best or better(its, load, least, best) then best, least, lacks = load, its, missing end
  end
end
if not best then return -1 end
redis.call("SET", KEYS[4], string.format("%s %s %.0f", first, best.id, ms), "EX", KEPT)
if best.id ~= ME then
  redis.call("PUBLISH", CALL .. best.id, "")
  return -1
end
begin(best, lacks)
best[LANE] = best[LANE] - 1
write(best)
if #route.links > 0 then
  redis.call("SADD", PREFIXES .. ME, unpack(route.links))
  redis.call("EXPIRE", PREFIXES .. ME, KEPT)
end
return lacks`;

/**
 * KEYS: the loads. ARGV: as COSTS, then of each job that this coordinator has not begun the lane, the rows that it
 * lacks here, and the route. Returns the numbers, from 1, of those that cost less elsewhere.
 */
const TELL = `${COSTS}
local loads = living()
local mine
for _, load in ipairs(loads) do if load.id == ME then mine = load end end
local elsewhere = {}
for at = 6, #ARGV, 3 do
  local lane, lacks, route = ARGV[at], tonumber(ARGV[at + 1]), routed(ARGV[at + 2])
  begin(mine, -lacks, -1)
  local best, least = mine, cost(mine, route, lacks)
  for _, load in ipairs(loads) do
    if load ~= mine and load[lane] > 0 then
      local its, missing = cost(load, route)
      if better(its, load, least, best) then best, least, lacks = load, its, missing end
    end
  end
  begin(best, lacks)
  if best ~= mine then
    best[lane] = best[lane] - 1
    elsewhere[#elsewhere + 1] = (at - 3) / 3
  end
end
return elsewhere`;

export interface ReplicaLoadsOptions {
  /** Borrowed. */
  readonly redis: Pick<Redis, "eval" | "hdel">;
  /** This coordinator. */
  readonly id: string;
  readonly model: string;
  /** Sequences that it runs at most. */
  readonly limit: number;
  /** Jobs that it holds at most, by lane. */
  readonly most: Readonly<Record<Lane, number>>;
  readonly engine: Pick<Engine, "workload">;
}

/** A queue that a job is to be taken from, by BullMQ's keys. */
export interface TakenFrom {
  readonly lane: Lane;
  /** Jobs with turns, and those without. */
  readonly prioritizedKey: string;
  readonly waitKey: string;
  /** What comes before a job's id in its key. */
  readonly jobKey: string;
}

/** A job that was taken and has not begun. */
export interface UnbegunJob {
  readonly lane: Lane;
  readonly route: string;
  /** Rows of its prompt that this coordinator's cache lacks. */
  readonly lacks: number;
}

/**
 * Shares a model's jobs among its coordinators. A job goes where it costs least: what it waits for, what it lacks of
 * its prompt, and what it delays, all estimated from what each coordinator has measured (replica-costs.ts).
 */
export class ReplicaLoads {
  readonly #options: ReplicaLoadsOptions;
  readonly #changed = new Condition();
  readonly #held: Record<Lane, number> = { interactive: 0, batch: 0 };
  /** Rows of the jobs that may be taken, and have not reached the engine. */
  readonly #coming: number[] = [];

  constructor(options: ReplicaLoadsOptions) {
    this.#options = options;
  }

  /** Jobs that this coordinator holds. */
  get held(): number {
    return this.#held.interactive + this.#held.batch;
  }

  /** Changes when there may be a job to take. */
  get changed(): Condition {
    return this.#changed;
  }

  /** Whether the next job may be taken now, which counts as held from here on, until `ended` or `release`. */
  async ask({ lane, prioritizedKey, waitKey, jobKey }: TakenFrom): Promise<boolean> {
    const { redis, model } = this.#options;
    const keys = [loadsKey(model), prioritizedKey, waitKey, calledKey({ model, lane })];
    const rows = await redis.eval(ASK, 4, ...keys, ...this.#args(), lane, jobKey, callChannel(""), SLOW_MS);
    if (typeof rows !== "number" || rows < 0) return false;
    this.#held[lane]++;
    this.#coming.push(rows);
    return true;
  }

  /** No job came. */
  release(lane: Lane): void {
    this.#held[lane]--;
    this.#coming.pop();
  }

  /** A job that was taken is known to the engine, or never will be. */
  arrived(): void {
    this.#coming.shift();
  }

  /** A job that this coordinator held has ended, or gone back. */
  ended(lane: Lane): void {
    this.#held[lane]--;
    this.#changed.notify();
  }

  /** To be told more often than once a second while jobs are taken. Returns those that others should have. */
  async tell<Job extends UnbegunJob>(jobs: readonly Job[]): Promise<readonly Job[]> {
    const { redis, model } = this.#options;
    const args = jobs.flatMap(({ lane, lacks, route }) => [lane, lacks, route]);
    const given = (await redis.eval(TELL, 1, loadsKey(model), ...this.#args(), ...args)) as readonly number[];
    return given.flatMap((number) => jobs[number - 1] ?? []);
  }

  /** The others do not wait for this coordinator from now on. */
  async leave(): Promise<void> {
    const { redis, model, id } = this.#options;
    await redis.hdel(loadsKey(model), id);
  }

  #args(): readonly (string | number)[] {
    const { id, model, limit, most, engine } = this.#options;
    const { rows, rowMs, aloneMs, fullMs, placeMs, answerTokens } = engine.workload;
    const coming = this.#coming.reduce((sum, each) => sum + each, 0);
    const room = (lane: Lane) => Math.max(0, most[lane] - this.#held[lane]);
    const times = [rowMs, aloneMs, fullMs, placeMs].map((ms) => 1000 * ms);
    const load = [this.held, limit, rows + coming, ...times, answerTokens, room("interactive"), room("batch")];
    const text = load.map((number) => Math.round(number)).join(" ");
    return [id, text, FRESH_MS, KEPT_S, prefixesKey(model, "")];
  }
}
