import { callChannel } from "@rhone/common";
import type { Redis } from "ioredis";
import { jobsAtOnce, LaneConsumer, type LaneConsumerOptions, type TakenJob } from "./lane-consumer.js";
import { BEAT_MS, Lease } from "./lease.js";
import { ReplicaLoads } from "./replica-loads.js";
import { ToldLinks } from "./told-links.js";

/** How often the model's other coordinators hear what this one has to do, and get those jobs that they should have. */
const TELL_MS = 250;
/** Jobs that are looked at for that, at a time. */
const LOOKED_AT = 16;

export interface ConsumerOptions extends Omit<LaneConsumerOptions, "loads" | "links" | "lease"> {
  /** Names this coordinator alone. */
  readonly id: string;
  /** Borrowed. Subscribed to one more channel. */
  readonly subscriber: Redis;
}

/** Takes the model's jobs from the queues of both lanes while the pipeline is ready: those that cost least here. */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #loads: ReplicaLoads;
  readonly #links: ToldLinks;
  readonly #lease: Lease;
  readonly #interactive: LaneConsumer;
  readonly #batch: LaneConsumer;
  #timer: NodeJS.Timeout | undefined;
  #beat: NodeJS.Timeout | undefined;
  /** There may be jobs of coordinators whose leases are over; there may be before this one was started. */
  #hasOrphans = true;
  /** Another coordinator may have taken jobs of this one, whose lease was over. */
  #mayHaveLost = false;
  #closed = false;

  private constructor(options: ConsumerOptions) {
    const { redis, id, model, maxSequences, lockMs, engine } = options;
    this.#options = options;
    this.#loads = new ReplicaLoads({ redis, id, model, limit: maxSequences, most: jobsAtOnce(maxSequences), engine });
    this.#links = new ToldLinks({ redis, id, model, links: engine.links });
    this.#lease = new Lease({ redis, id, model, lockMs });
    const shared = { ...options, loads: this.#loads, links: this.#links, lease: this.#lease };
    this.#interactive = new LaneConsumer("interactive", shared);
    this.#batch = new LaneConsumer("batch", shared);
  }

  /** Takes nothing until `begin`, then `resume` are called. */
  static async open(options: ConsumerOptions): Promise<Consumer> {
    const consumer = new Consumer(options);
    const { subscriber, id } = options;
    const mine = callChannel(id);
    subscriber.on("message", (channel: string, lane: string) => {
      if (channel === mine && (lane === "interactive" || lane === "batch")) consumer.#loads.changed[lane].notify();
    });
    await subscriber.subscribe(mine);
    return consumer;
  }

  /** Takes the lease under which it takes jobs. What listened at `place` before is gone, and its jobs with it. */
  async begin(place: string): Promise<void> {
    await this.#lease.take(place);
    this.#beat = setTimeout(() => void this.#renew(), BEAT_MS);
  }

  /** Takes jobs from now on. */
  resume(): void {
    this.#timer ??= setInterval(() => void this.#share(), TELL_MS);
    for (const lane of this.#lanes) lane.resume();
    void this.#releaseOrphans();
  }

  /** Takes no more jobs; those taken go on. */
  pause(): void {
    this.#leave();
    for (const lane of this.#lanes) lane.pause();
  }

  /** Takes no more jobs, and waits until those taken are completed or back in their queues. */
  async close(): Promise<void> {
    this.#leave();
    await Promise.all(this.#lanes.map((lane) => lane.close()));
    this.#closed = true;
    clearTimeout(this.#beat);
    await this.#lease.end().catch(() => {}); // nobody renews it, which ends it too
  }

  get #lanes(): readonly LaneConsumer[] {
    return [this.#interactive, this.#batch];
  }

  async #renew(): Promise<void> {
    try {
      const { wasOver, haveEnded } = await this.#lease.renew();
      this.#mayHaveLost ||= wasOver;
      this.#hasOrphans ||= haveEnded;
      if (this.#mayHaveLost) await Promise.all(this.#lanes.map((lane) => lane.giveUpLost()));
      this.#mayHaveLost = false;
      await this.#releaseOrphans();
    } catch (err) {
      this.#options.logger.warn({ err }, "lease not renewed, trying again");
    }
    if (!this.#closed) this.#beat = setTimeout(() => void this.#renew(), BEAT_MS);
  }

  /** Not while this one could not take them: their own coordinator may be about to wake. */
  async #releaseOrphans(): Promise<void> {
    if (!this.#hasOrphans || this.#timer === undefined) return;
    this.#hasOrphans = false;
    try {
      await Promise.all(this.#lanes.map((lane) => lane.release()));
    } catch (err) {
      this.#hasOrphans = true;
      this.#options.logger.warn({ err }, "jobs of a lost coordinator not released, trying again");
    }
  }

  #leave(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    // Its load is soon too old to count, and its links with it.
    Promise.all([this.#loads.leave(), this.#links.forget()]).catch(() => {});
  }

  /** Batch jobs go first: nobody waits for them. */
  async #share(): Promise<void> {
    try {
      await this.#links.tell();
      const batch = this.#batch.unbegun(LOOKED_AT);
      const jobs: readonly TakenJob[] = [...batch, ...this.#interactive.unbegun(LOOKED_AT - batch.length)];
      const given = await this.#loads.tell(jobs);
      if (this.#timer === undefined) return this.#leave();
      for (const job of given) (job.lane === "batch" ? this.#batch : this.#interactive).give(job);
      // Of a job may have heard only a coordinator that is slow or gone, and so may the one be that was called for it.
      for (const changed of Object.values(this.#loads.changed)) changed.notify();
    } catch (err) {
      this.#options.logger.warn({ err }, "load not told, trying again");
    }
  }
}
