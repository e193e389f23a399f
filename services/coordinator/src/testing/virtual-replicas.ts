import { setImmediate as turn } from "node:timers/promises";
import { createLogger, type GenerationJob, routeOf } from "@rhone/common";
import type { Redis } from "ioredis";
import { Engine } from "../engine/engine.js";
import { ReplicaLoads } from "../intake/replica-loads.js";
import { ToldLinks } from "../intake/told-links.js";
import { createMetrics } from "../metrics.js";
import { VirtualClock } from "../simulation/virtual-clock.js";
import { VirtualPipeline } from "../simulation/virtual-pipeline.js";
import { PieceTable } from "../text/piece-table.js";
import { NOTHING_RECORDED } from "../token-log/recorded.js";
import { MemoryLog } from "./memory-log.js";

const VOCABULARY = 32_000;
const SHAPE = { pageSize: 32, slidingWindow: 0, contextLength: 4096, maxRows: 512 };
const PAGES = 4096;
const LIMIT = 16;
const DAY_MS = 86_400_000;
const TELL_MS = 250;
/** As long as the lock of a job lasts whose coordinator was killed. */
const LOCK_MS = 2000;
const keyOf = (type: string): string => `{rhone}:queue:${type}`;
let questions = 0;
const queue = () => ({ lane: "interactive", toKey: keyOf, token: `test:${questions++}`, lockMs: DAY_MS }) as const;

/** Milliseconds of a step of the one stage, and of each of its rows besides. */
export interface StageTimes {
  readonly stageMs: number;
  readonly rowMs: number;
}

interface Replica {
  readonly id: string;
  readonly engine: Engine;
  readonly loads: ReplicaLoads;
  readonly links: ToldLinks;
  /** Jobs that it holds. */
  readonly held: Set<string>;
  isAlive: boolean;
}

/** How a job finds its replica: as coordinators do it, or by chance (0 to 1). */
export type Choice = "cost" | (() => number);

/**
 * Replicas on one virtual clock: engines, schedulers and prefix caches of their own, and the scripts by which
 * coordinators share jobs, in a real Redis. All but the stages' times, and who asks when, is as it is in a cluster.
 */
export class VirtualReplicas {
  readonly clock = new VirtualClock();
  readonly log = new MemoryLog();
  readonly #replicas: Replica[] = [];
  readonly #redis: Redis;
  readonly #choice: Choice;
  readonly #times: StageTimes;
  readonly #jobs = new Map<string, { readonly job: GenerationJob; readonly onEnd: () => void }>();
  #arrived: string[] = [];
  #turns = 0;
  #isTelling = false;
  readonly #held = new Map<string, number>();

  constructor(options: {
    readonly redis: Redis;
    readonly count: number;
    readonly times: StageTimes;
    readonly choice: Choice;
  }) {
    const { redis, count, times, choice } = options;
    this.#redis = redis;
    this.#choice = choice;
    this.#times = times;
    for (let index = 0; index < count; index++) this.join();
  }

  /** One more is ready. */
  join(): void {
    this.#replicas.push(this.#open(`${this.#replicas.length}`));
  }

  /** Calls `onEnd` when the job has its last event. */
  submit(job: GenerationJob, onEnd: () => void): void {
    this.#jobs.set(job.requestId, { job: { ...job, route: routeOf(job) }, onEnd });
    this.#arrived.push(job.requestId);
  }

  /** As kill -9: what it holds goes on elsewhere when its locks have ended. */
  kill(index: number): void {
    const replica = this.#replicas[index];
    if (replica === undefined) throw new RangeError(`There is no replica ${index}.`);
    const held = [...replica.held];
    replica.isAlive = false;
    replica.engine.close();
    // In a cluster the others notice within a second.
    void replica.loads.leave();
    this.#held.clear();
    this.clock.after(LOCK_MS, () => this.#arrived.push(...held));
  }

  /** Sequences that run on each replica at this moment. */
  get running(): readonly number[] {
    return this.#replicas.map(({ engine }) => engine.counts.running);
  }

  /** Jobs that each living replica held, summed over the times at which loads are told. */
  get held(): readonly number[] {
    return this.#replicas.filter(({ isAlive }) => isAlive).map(({ id }) => this.#held.get(id) ?? 0);
  }

  /** Until nothing is left to do. */
  async run(): Promise<void> {
    this.#tellLater();
    do {
      for (let each = 0; each < 4; each++) await turn(); // engines write, decide and send
      if (this.#isTelling) await this.#tell();
      if (this.#arrived.length > 0) await this.#share();
    } while (this.#jobs.size > 0 && this.clock.step(DAY_MS));
  }

  #open(id: string): Replica {
    const { clock, log } = this;
    const engine = new Engine({
      shape: SHAPE,
      maxSequences: LIMIT,
      now: () => clock.nowMs,
      targetItl: "auto",
      maxDrafts: 0,
      recoveryTimeoutMs: DAY_MS,
      rules: { contextLength: SHAPE.contextLength, vocabSize: VOCABULARY, endTokens: new Set(), pieces: PIECES },
      log,
      metrics: createMetrics(),
      logger: createLogger({ service: "test", level: "silent" }),
    });
    const options = { redis: this.#redis, id, model: "m" };
    const most = { interactive: 4 * LIMIT, batch: LIMIT };
    const loads = new ReplicaLoads({ ...options, limit: LIMIT, most, engine });
    const links = new ToldLinks({ ...options, links: engine.links });
    const replica: Replica = { id, engine, loads, links, held: new Set(), isAlive: true };
    const pipeline = new VirtualPipeline({
      ...this.#times,
      clock,
      stages: 1,
      hopMs: 0.2,
      pages: PAGES,
      vocabSize: VOCABULARY,
      onResult: (step, result) => {
        if (replica.isAlive) engine.record(step, result);
      },
    });
    engine.attach(pipeline);
    return replica;
  }

  #tellLater(): void {
    this.clock.after(TELL_MS, () => {
      this.#isTelling = true;
      this.#tellLater();
    });
  }

  get #living(): readonly Replica[] {
    return this.#replicas.filter(({ isAlive }) => isAlive);
  }

  async #tell(): Promise<void> {
    this.#isTelling = false;
    for (const replica of this.#living) {
      const { id, engine, loads, links, held } = replica;
      this.#held.set(id, (this.#held.get(id) ?? 0) + held.size);
      if (this.#choice !== "cost") continue;
      await links.tell();
      const unbegun = [...held].flatMap((requestId) => {
        const lacks = engine.lackingOf(requestId);
        const route = this.#jobs.get(requestId)?.job.route ?? "";
        return lacks === null ? [] : [{ requestId, lane: "interactive" as const, lacks, route }];
      });
      for (const { requestId, route } of await loads.tell(unbegun.toReversed().slice(0, 16))) {
        if (!engine.handBack(requestId, new Error("cheaper elsewhere"))) continue;
        links.doubt(route);
        await links.tell();
        this.#arrived.push(requestId);
      }
    }
  }

  /** Gives every job that waits to a replica. */
  async #share(): Promise<void> {
    const arrived = this.#arrived;
    this.#arrived = [];
    if (this.#choice !== "cost") {
      const living = this.#living;
      for (const requestId of arrived) {
        const replica = living[Math.floor(this.#choice() * living.length)];
        if (replica !== undefined) this.#begin(replica, requestId);
      }
      return;
    }
    for (const requestId of arrived) {
      await this.#redis.hset(keyOf(requestId), "data", JSON.stringify(this.#jobs.get(requestId)?.job));
      await this.#redis.zadd(keyOf("prioritized"), ++this.#turns, requestId);
    }
    // No time passes on the clock, and in Redis loads are fresh for a second only.
    for (const { loads } of this.#living) await loads.tell([]);
    for (let left = arrived.length; left > 0; ) {
      for (const replica of this.#living) {
        for (const { id } of await replica.loads.take(queue())) {
          await this.#redis.del(keyOf(id), keyOf("active"));
          this.#begin(replica, id);
          replica.loads.arrived(id);
          left--;
        }
      }
    }
  }

  #begin({ engine, loads, links, held }: Replica, requestId: string): void {
    const entry = this.#jobs.get(requestId);
    if (entry === undefined) return;
    const events = this.log.of(requestId);
    const tokens = events.flatMap((event) => event.tokens);
    held.add(requestId);
    const run = engine.run(entry.job, { ...NOTHING_RECORDED, tokens, ordinal: events.length });
    const release = (): void => {
      held.delete(requestId);
      if (this.#choice === "cost") loads.ended("interactive", requestId);
      links.doubt(entry.job.route);
    };
    run.then(
      () => {
        release();
        this.#jobs.delete(requestId);
        entry.onEnd();
      },
      release, // handed back, or killed
    );
  }
}

const PIECES = new PieceTable({ pieceBytes: () => new Uint8Array() });
