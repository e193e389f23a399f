import { GgmlType, type Graph } from "@rhone/ggml";
import type { AttentionSpan, PlanAttention, StepInputs } from "../attention/attention.js";
import { GatherAttention } from "../attention/gather-attention.js";
import { PagedAttention } from "../attention/paged-attention.js";
import type { RowOrder } from "../attention/row-order.js";
import type { LayerInputs, Shard } from "../model/transformer.js";
import type { Span } from "../wire/step.js";

/** A span of the step with its sequence's page table. */
export type StepSpan = Span & AttentionSpan;

/** A step's inputs, as its layers and its stage need them. */
export interface StepPlan extends LayerInputs {
  readonly order: RowOrder<StepSpan>;
}

/** By Rhone's own kernels where they attend with such heads and pages, by ggml's operations elsewhere. */
const planAttention: PlanAttention = (graph, spans, options) =>
  PagedAttention.plan(graph, spans, options) ?? new GatherAttention(graph, spans, options);

/**
 * Declares what the shard's layers need of a step among its `inputs`. Throws STAGE_FAILED when a span sees a page that
 * its sequence does not hold.
 */
export function planStep(
  graph: Graph,
  spans: readonly StepSpan[],
  { shard: { pages, config }, inputs }: { readonly shard: Shard; readonly inputs: StepInputs },
): StepPlan {
  const attention = planAttention(graph, spans, { inputs, pages, config });
  const { order } = attention;
  const positions = inputs.add(
    GgmlType.I32,
    [order.rows],
    order.eachRow((span, i) => span.position + i),
  );
  return { positions, attention, order };
}
