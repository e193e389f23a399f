import {
  Condition,
  callChannel,
  callsKey,
  handedKey,
  type Lane,
  loadsKey,
  prefixesKey,
  RhoneError,
} from "@rhone/common";
import type { Redis } from "ioredis";
import type { Engine } from "../engine/engine.js";
import { HAND_OUT } from "./hand-out.js";
import { COSTS } from "./replica-costs.js";

/** A coordinator that has said nothing for longer takes no jobs: it died, hangs, or lost its pipeline. */
const FRESH_MS = 1000;
/** A coordinator that was called for a job and has not taken it after this time loses it to the others. */
const SLOW_MS = 250;
const KEPT_S = 60;
/** Waiting jobs that a script looks at. */
const LOOKED_AT = 128;
/** Bytes of jobs after which a script reads and takes no more: they are parsed in one turn of the event loop. */
const READ_BYTES = 256 * 1024;

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

/** A queue that jobs are to be taken from. */
export interface TakenFrom {
  readonly lane: Lane;
  /** The names of BullMQ's keys. */
  readonly toKey: (type: string) => string;
  /** Of the locks that the jobs get: another one each time. */
  readonly token: string;
  readonly lockMs: number;
}

/** A job that this coordinator has taken, as it is in Redis. */
export interface Taken {
  readonly id: string;
  /** Names and values in turn, as BullMQ has them. */
  readonly fields: readonly string[];
}

type HandedOut = readonly [id: string, rows: number, fields: readonly string[]];

/** What a script answers when its answer was read whole. Else its numbers would be counted for ever. */
function handedOut(answer: unknown): readonly HandedOut[] {
  const isJob = (each: unknown): each is HandedOut =>
    Array.isArray(each) && typeof each[0] === "string" && Number.isFinite(each[1]) && Array.isArray(each[2]);
  if (Array.isArray(answer) && answer.every(isJob)) return answer;
  const advice = "the jobs that it took go back when their locks expire";
  throw new RhoneError("MESSAGE_MALFORMED", `Redis answered a script that takes jobs with something else; ${advice}.`);
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
  readonly #changed: Readonly<Record<Lane, Condition>> = { interactive: new Condition(), batch: new Condition() };
  readonly #held: Record<Lane, number> = { interactive: 0, batch: 0 };
  /** Rows of the jobs that were taken and have not reached the engine, by their ids. */
  readonly #coming = new Map<string, number>();

  constructor(options: ReplicaLoadsOptions) {
    this.#options = options;
  }

  /** Jobs that this coordinator holds. */
  get held(): number {
    return this.#held.interactive + this.#held.batch;
  }

  /** Each changes when there may be a job of that lane to take: while there is room for one, none waits undecided. */
  get changed(): Readonly<Record<Lane, Condition>> {
    return this.#changed;
  }

  /**
   * Takes the waiting jobs that this coordinator should have; asked again at once, it may get more. They count as held
   * until `ended`.
   */
  async take({ lane, toKey, token, lockMs }: TakenFrom): Promise<readonly Taken[]> {
    const { redis, model } = this.#options;
    const queue = ["prioritized", "wait", "active", "events", "meta"].map(toKey);
    const keys = [loadsKey(model), ...queue, callsKey({ model, lane }), handedKey({ model, lane })];
    const args = [lane, toKey(""), callChannel(""), SLOW_MS, LOOKED_AT, READ_BYTES, Date.now(), token, lockMs];
    const answer = await redis.eval(HAND_OUT, keys.length, ...keys, ...this.#args(), ...args);
    const taken = handedOut(answer);
    this.#held[lane] += taken.length;
    for (const [id, rows] of taken) this.#coming.set(id, rows);
    return taken.map(([id, , fields]) => ({ id, fields }));
  }

  /** The engine knows a job that was taken. */
  arrived(id: string): void {
    this.#coming.delete(id);
  }

  /** A job that this coordinator held has ended, or gone back. */
  ended(lane: Lane, id: string): void {
    this.#coming.delete(id);
    this.#held[lane]--;
    this.#changed[lane].notify();
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
    const coming = [...this.#coming.values()].reduce((sum, each) => sum + each, 0);
    const room = (lane: Lane) => Math.max(0, most[lane] - this.#held[lane]);
    const times = [rowMs, aloneMs, fullMs, placeMs].map((ms) => 1000 * ms);
    const load = [this.held, limit, rows + coming, ...times, answerTokens, room("interactive"), room("batch")];
    const text = load.map((number) => Math.round(number)).join(" ");
    return [id, text, FRESH_MS, KEPT_S, prefixesKey(model, "")];
  }
}
