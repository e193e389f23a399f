import { type GenerationJob, type JobQueue, type Logger, leaveQueue, queueName, REDIS_PREFIX } from "@rhone/common";
import { type Job, Queue } from "bullmq";
import type { Redis } from "ioredis";
import { z } from "zod";

const LOOK_MS = 1000;
/** Jobs of a lane that are moved at a time. */
const AT_ONCE = 16;
/** They came before all others, and their turns are of another count. */
const FIRST_TURN = 1;

const modelSchema = z.object({ model: z.string().min(1) });

export interface OldJobsOptions {
  /** Borrowed. */
  readonly connection: Redis;
  /** The model of this coordinator, which refuses jobs that name none. */
  readonly model: string;
  readonly logger: Logger;
}

/**
 * Moves the jobs of gateways of the release before, which had one queue per lane for all models, to the queues of their
 * models: while gateways are replaced one by one, and for streams that outlive theirs.
 */
export class OldJobs {
  readonly #options: OldJobsOptions;
  readonly #queues = new Map<string, Queue>();
  readonly #timer: NodeJS.Timeout;
  #looking: Promise<void> | undefined;

  constructor(options: OldJobsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    this.#look();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  #look(): void {
    const { connection, logger } = this.#options;
    if (connection.status !== "ready") return;
    this.#looking ??= Promise.all([this.#moveSome("interactive"), this.#moveSome("batch")])
      .catch((err: unknown) => logger.warn({ err }, "jobs of earlier gateways not moved, trying again"))
      .then(() => {
        this.#looking = undefined;
      });
  }

  async #moveSome(lane: GenerationJob["lane"]): Promise<void> {
    const old = this.#queue({ model: "", lane });
    const jobs = await old.getPrioritized(0, AT_ONCE - 1);
    await Promise.all(jobs.map((job) => this.#move(job, { old, lane })));
  }

  /** Added first: a job that is taken twice goes on from its token log, one that is lost does not. */
  async #move(job: Job, { old, lane }: { readonly old: Queue; readonly lane: GenerationJob["lane"] }): Promise<void> {
    const { id = "", data } = job;
    const { model } = modelSchema.safeParse(data).data ?? this.#options;
    const queue = this.#queue({ model, lane });
    await queue.add(queue.name, data, { jobId: id, priority: FIRST_TURN, removeOnComplete: true, removeOnFail: true });
    await old.remove(id);
    await leaveQueue(this.#options.connection, { requestId: id, model: "", lane, keyId: data?.keyId ?? "" });
  }

  #queue(of: JobQueue): Queue {
    const name = queueName(of);
    const queue = this.#queues.get(name) ?? this.#open(name);
    this.#queues.set(name, queue);
    return queue;
  }

  #open(name: string): Queue {
    const { connection, logger } = this.#options;
    const queue = new Queue(name, { connection, prefix: REDIS_PREFIX });
    return queue.on("error", (err) => logger.warn({ err, queue: name }, "queue error"));
  }
}
