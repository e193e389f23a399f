import { basename } from "node:path";
import {
  type CoordinatorMessage,
  type KvTypeName,
  parseErrorCode,
  RhoneError,
  type WorkerMessage,
} from "@rhone/common";
import type { KvShape, StagePlan } from "@rhone/planner";
import { rhone } from "@rhone/proto";
import type { ModelFacts } from "../model/model-facts.js";
import type { Member } from "./member.js";

export type ShardSpec = Omit<rhone.v1.LoadShard.$Properties, "load" | "$unknowns">;

/** What a worker is to hold beside its shard: `stages`, its own first. */
export interface SpareSpec {
  readonly model: rhone.v1.ModelRef.$Properties;
  readonly stages: readonly StagePlan[];
}

/** A load without a word from the worker for this long has failed. Progress extends it, however long the load takes. */
const SILENT_LOAD_MS = 120_000;

interface PendingLoad {
  readonly member: Member;
  readonly progressed: () => void;
  readonly ready: () => void;
  readonly failed: (error: RhoneError) => void;
}

/** Has workers load shards. The only writer of `loaded`, `beside`, `spares` and `loadFailedAt` of each member. */
export class ShardLoads {
  readonly #pending = new Map<number, PendingLoad>();
  readonly #sourcesFor: (member: Member) => readonly string[];
  #load = 0;

  /** `sourcesFor`: host:port of workers that may have weights which the member lacks; they make no other load. */
  constructor(sourcesFor: (member: Member) => readonly string[] = () => []) {
    this.#sourcesFor = sourcesFor;
  }

  /**
   * Resolves when `member` holds the shard, at once if it holds it already. Rejects with the worker's error, with
   * STAGE_FAILED when it falls silent, with the signal's reason when it aborts. The first two are remembered until the
   * worker loads a shard or leaves.
   */
  async load(member: Member, spec: ShardSpec, signal: AbortSignal): Promise<void> {
    if (this.holds(member, spec)) {
      if (member.beside !== null) this.releaseBeside(member);
      return;
    }
    member.loaded = null;
    member.beside = null;
    if (!isSpare(member, spec)) member.spares = []; // the worker frees them for what it must read
    try {
      await this.#sendLoad(member, spec, signal);
    } catch (error) {
      if (!signal.aborted) member.loadFailedAt = performance.now();
      throw error;
    }
    member.loaded = JSON.stringify(spec);
    member.loadFailedAt = null;
  }

  /** As `load`, beside the shard that the member serves with: `load` resolves soon then. Failures are forgotten. */
  async loadBeside(member: Member, spec: ShardSpec, signal: AbortSignal): Promise<void> {
    const key = JSON.stringify(spec);
    if (member.beside === key) return;
    member.beside = null;
    await this.#sendLoad(member, { ...spec, beside: true }, signal);
    member.beside = key;
  }

  /**
   * Resolves when `member` holds these stages' weights whatever it serves, which may take minutes; at once when there
   * are none, and the weights of those before are freed. Rejects with the worker's error and the signal's reason.
   */
  async holdSpares(member: Member, { model, stages }: SpareSpec, signal: AbortSignal): Promise<void> {
    const layers = stages.map(({ first, last, embeds, heads }) => ({
      ...{ firstLayer: first, lastLayer: last, embeds, heads },
    }));
    if (stages.length === 0) member.spares = [];
    await this.#send({ member, signal, silentMs: null }, (load) => ({
      spares: { load, model: this.#withSources(model, member), layers },
    }));
    member.spares = stages;
  }

  /** Frees what `loadBeside` had the member load, or load in part. */
  releaseBeside(member: Member): void {
    member.beside = null;
    member.send({ release: { beside: true } });
  }

  /** Whether `load` would resolve without a word from the worker. */
  holds(member: Member, spec: ShardSpec): boolean {
    return member.loaded === JSON.stringify(spec);
  }

  /** The member becomes a spare: its weights are freed. */
  release(member: Member): void {
    member.loaded = null;
    member.beside = null;
    member.spares = [];
    member.send({ release: {} });
  }

  /** Takes a worker's answers to its own loads. */
  receive(member: Member, { progress, ready, failed }: WorkerMessage): void {
    const own = (load: number | null | undefined): PendingLoad | undefined => {
      const pending = this.#pending.get(load ?? 0);
      return pending?.member === member ? pending : undefined;
    };
    if (progress != null) own(progress.load)?.progressed();
    if (ready != null) own(ready.load)?.ready();
    if (failed != null) {
      const code = parseErrorCode(failed.code, "STAGE_FAILED");
      const message = `Worker ${member.worker} could not load its shard: ${failed.message}`;
      own(failed.load)?.failed(new RhoneError(code, message));
    }
  }

  #sendLoad(member: Member, spec: ShardSpec, signal: AbortSignal): Promise<void> {
    return this.#send({ member, signal, silentMs: SILENT_LOAD_MS }, (load) => ({
      load: { load, ...spec, model: this.#withSources(spec.model, member) },
    }));
  }

  #withSources(model: ShardSpec["model"], member: Member): rhone.v1.ModelRef.$Properties {
    return { ...model, sources: [...this.#sourcesFor(member)] };
  }

  async #send(expected: ExpectedAnswer, order: (load: number) => CoordinatorMessage): Promise<void> {
    expected.signal.throwIfAborted();
    const load = ++this.#load;
    try {
      const answered = this.#answer(load, expected);
      expected.member.send(order(load));
      await answered;
    } finally {
      this.#pending.delete(load);
    }
  }

  #answer(load: number, { member, signal, silentMs }: ExpectedAnswer): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", aborted);
        act();
      };
      const aborted = (): void => settle(() => reject(signal.reason));
      const stuck = `Worker ${member.worker} has reported nothing about its load for ${SILENT_LOAD_MS / 1000} s.`;
      const giveUp = (): void => settle(() => reject(new RhoneError("STAGE_FAILED", stuck)));
      const timer = silentMs === null ? undefined : setTimeout(giveUp, silentMs);
      signal.addEventListener("abort", aborted, { once: true });
      this.#pending.set(load, {
        member,
        progressed: () => timer?.refresh(),
        ready: () => settle(resolve),
        failed: (error) => settle(() => reject(error)),
      });
    });
  }
}

interface ExpectedAnswer {
  readonly member: Member;
  readonly signal: AbortSignal;
  /** A worker that says nothing for this long has failed; null: it may be silent. */
  readonly silentMs: number | null;
}

/** Whether the worker has all layers of this shard, and more. */
function isSpare({ spares }: Member, { firstLayer, lastLayer, embeds, heads }: ShardSpec): boolean {
  const has = (layer: number): boolean => spares.some(({ first, last }) => first <= layer && layer < last);
  const layers = Array.from({ length: (lastLayer ?? 0) - (firstLayer ?? 0) }, (_, index) => (firstLayer ?? 0) + index);
  const embedding = embeds !== true || spares.some((stage) => stage.embeds);
  const head = heads !== true || spares.some((stage) => stage.heads);
  return layers.every(has) && embedding && head;
}

const KV_TYPES: Readonly<Record<KvTypeName, rhone.v1.KvType>> = {
  f16: rhone.v1.KvType.KV_F16,
  f32: rhone.v1.KvType.KV_F32,
  q8_0: rhone.v1.KvType.KV_Q8_0,
};

/** A path of a file without weights would lead workers of this machine to that file. */
export const modelRef = ({ served, file, origin }: ModelFacts): rhone.v1.ModelRef.$Properties => ({
  name: served.name,
  path: file === null ? basename(served.path) : served.path,
  fingerprint: served.fingerprint,
  stamp: file?.stamp ?? "",
  origin,
});

/** The load of a stage's worker. */
export function shardSpec(
  stage: StagePlan,
  pages: number,
  context: { readonly model: ModelFacts; readonly kvType: KvTypeName; readonly shape: KvShape },
): ShardSpec {
  if (stage.last <= stage.first) throw new RhoneError("INTERNAL", `Stage ${stage.stage} was planned without layers.`);
  return {
    model: modelRef(context.model),
    firstLayer: stage.first,
    lastLayer: stage.last,
    embeds: stage.embeds,
    heads: stage.heads,
    pages,
    pageSize: context.shape.pageSize,
    kvType: KV_TYPES[context.kvType],
    slidingWindow: context.shape.slidingWindow,
    maxRows: context.shape.maxRows,
  };
}
