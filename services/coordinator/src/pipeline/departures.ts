import { type Logger, RhoneError, toRhoneError } from "@rhone/common";
import type { Member } from "../workers/member.js";
import type { ShardLoads } from "../workers/shard-loads.js";
import type { WorkerRegistry } from "../workers/worker-registry.js";
import type { Handover } from "./handover.js";
import type { PlanChanges, ServingPipeline } from "./plan-changes.js";

export interface DeparturesOptions {
  readonly pipeline: Pick<ServingPipeline, "epoch" | "giveUp"> & {
    /** A worker can be planned with again. */
    mayPlan(): void;
    /** Something about a worker has changed that others are told. */
    tell(): void;
  };
  readonly changes: Pick<PlanChanges, "replace">;
  readonly handover: Pick<Handover, "next">;
  readonly registry: Pick<WorkerRegistry, "get">;
  readonly loads: Pick<ShardLoads, "release">;
  readonly logger: Logger;
}

const lostInDrain = (worker: string): RhoneError =>
  new RhoneError("WORKER_LOST", `Worker ${worker} was lost, or has joined again, while it was drained.`);

/** Workers that go in order: others hold their layers first. */
export class Departures {
  readonly #options: DeparturesOptions;
  /** Under way. */
  readonly #drains = new Map<Member, Promise<void>>();

  constructor(options: DeparturesOptions) {
    this.#options = options;
  }

  /**
   * Has others load the layers of a worker that leaves while it still serves, so that requests wait for a prefill only.
   * Where no plan without it exists, it may leave at once.
   */
  async leaving(member: Member): Promise<string> {
    const { pipeline, changes, logger } = this.#options;
    pipeline.tell();
    try {
      await changes.replace(member);
      return "";
    } catch (error) {
      const { message } = toRhoneError(error);
      logger.warn({ worker: member.worker, reason: message }, "nobody takes the layers of the worker that leaves");
      return message;
    }
  }

  /**
   * Takes a worker's layers away once others hold them; it gets none for as long as its process lives. One that is
   * drained stays so, and one that is being drained is waited for. Throws NO_PIPELINE where no plan without it exists,
   * INVALID_CONFIG for one that leaves, and what a load throws: it keeps its layers then.
   */
  async drain(member: Member): Promise<void> {
    if (member.drain === "drained") return;
    const { worker } = member;
    if (member.isLeaving) throw new RhoneError("INVALID_CONFIG", `Worker ${worker} is leaving already.`);
    const begun = this.#drains.get(member) ?? this.#begin(member).finally(() => this.#drains.delete(member));
    this.#drains.set(member, begun);
    await begun;
  }

  async #begin(member: Member): Promise<void> {
    const { pipeline, changes, loads, logger } = this.#options;
    const { worker } = member;
    member.drain = "draining";
    pipeline.tell();
    try {
      await changes.replace(member);
      this.#checkReplaced(member);
    } catch (error) {
      member.drain = null;
      pipeline.mayPlan();
      throw error;
    }
    logger.info({ worker }, "worker drained");
    member.drain = "drained";
    member.send({ drain: {} });
    if (pipeline.epoch?.includes(member)) pipeline.giveUp(pipeline.epoch, `Worker ${worker} is drained.`);
    else loads.release(member);
    pipeline.tell();
  }

  /** The epoch may have ended meanwhile, and a worker that was to take over its layers may be gone. */
  #checkReplaced(member: Member): void {
    const { pipeline, handover, registry } = this.#options;
    const { worker } = member;
    if (registry.get(worker) !== member) throw lostInDrain(worker);
    try {
      handover.next();
    } catch (error) {
      // It takes no steps any more.
      if (pipeline.epoch?.includes(member)) pipeline.giveUp(pipeline.epoch, `Worker ${worker} keeps its layers.`);
      throw error;
    }
  }
}
