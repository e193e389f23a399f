import { type KvShape, livePages } from "./kv-shape.js";
import type { ModelWeights, ShardRange } from "./model-weights.js";
import { bytesBeyond, heldBytes, shardBytes } from "./model-weights.js";
import type { ModelPlan } from "./plan-model.js";
import { LARGEST_SHARE, mostPages } from "./plan-pages.js";
import type { StagePlan } from "./plan-stages.js";

/** What a worker holds beyond its own stage's weights. */
export interface SpareShards {
  readonly worker: string;
  /** The stages that follow its own, the first one after the last; as many as fit its memory. */
  readonly stages: readonly StagePlan[];
  readonly bytes: number;
  /** The next one that was asked for, and the bytes that it would have to have in all; null: none is lacking. */
  readonly lacking: { readonly stage: number; readonly needed: number } | null;
}

export interface SparesRequest {
  readonly weights: ModelWeights;
  readonly shape: KvShape;
  /** Bytes of one page in one layer. */
  readonly pageBytes: number;
}

/**
 * The weights that each worker holds so that the pipeline goes on without `count` neighbours. Beside its shard and its
 * pages there is room for them, and beside the shard of all these stages for one whole sequence.
 */
export function planSpares(plan: ModelPlan, count: number, request: SparesRequest): readonly SpareShards[] {
  return plan.stages.map((own) => spareShards(plan, { own, count }, request));
}

function spareShards(
  { stages: all, pages }: ModelPlan,
  { own, count }: { readonly own: StagePlan; readonly count: number },
  { weights, shape, pageBytes }: SparesRequest,
): SpareShards {
  const least = livePages(shape.contextLength, shape);
  const following = all.slice(1).map((_, index) => all[(own.stage + 1 + index) % all.length] as StagePlan);
  const stages: StagePlan[] = [];
  for (const next of following.slice(0, count)) {
    const held = [own, ...stages, next];
    const bytes = heldBytes(weights, held);
    const layers = held.reduce((sum, { first, last }) => sum + last - first, 0);
    const pagesOfAll = Math.ceil((least * layers * pageBytes) / LARGEST_SHARE);
    const needed = bytes + Math.max(pages * (own.last - own.first) * pageBytes, pagesOfAll);
    if (needed > own.memoryTotal)
      return { worker: own.worker, stages, bytes: beyond(own), lacking: lack(next, needed) };
    stages.push(next);
  }
  return { worker: own.worker, stages, bytes: beyond(own), lacking: null };

  function beyond(shard: StagePlan): number {
    return heldBytes(weights, [shard, ...stages]) - shardBytes(weights, shard);
  }
}

const lack = ({ stage }: StagePlan, needed: number): SpareShards["lacking"] => ({ stage, needed });

/**
 * The plan for the workers that are left, each with layers that it holds already: a lost worker's go to the one before
 * it. When the first stages are lost, the last worker, which holds them as the ones that follow, becomes the
 * first stage, and the one before it takes the last worker's layers. As many pages as before, or as many as fit. Null:
 * nobody is lost, some layers are held by nobody in the right place, or one sequence would not fit.
 * `held`: for each worker that is left, what it holds.
 */
export function takeOver(
  { stages, pages }: ModelPlan,
  held: ReadonlyMap<string, readonly ShardRange[]>,
  { weights, shape, pageBytes }: SparesRequest,
): ModelPlan | null {
  const left = stages.filter(({ worker }) => held.has(worker));
  const [first, ...others] = left;
  if (first === undefined || left.length === stages.length) return null;
  const last = others.pop();
  const order = first.stage === 0 || last === undefined ? left : [last, first, ...others];
  const starts = order.map((stage, index) => (index === 0 ? 0 : stage.first));
  const end = stages.at(-1)?.last ?? 0;
  const next = order.map(({ worker, memoryTotal }, stage): StagePlan => {
    const [from, to] = [starts[stage] ?? 0, starts[stage + 1] ?? end];
    const range = { first: from, last: to, embeds: stage === 0, heads: stage === order.length - 1 };
    return { worker, stage, ...range, weightBytes: shardBytes(weights, range), memoryTotal };
  });
  const holds = (stage: StagePlan): readonly ShardRange[] => held.get(stage.worker) ?? [];
  if (next.some((stage) => bytesBeyond(weights, stage, holds(stage)) > 0)) return null;
  const tight = next.map((stage) => ({ ...stage, weightBytes: heldBytes(weights, holds(stage)) }));
  const fitting = Math.min(pages, mostPages(tight, pageBytes));
  return fitting < livePages(shape.contextLength, shape) ? null : { stages: next, pages: fitting };
}
