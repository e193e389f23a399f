import { type Backend, GgmlType, Graph, rowSize, type Tensor } from "@rhone/ggml";
import { StepInputs } from "../attention/attention.js";
import { PagedAttention } from "../attention/paged-attention.js";
import type { RowOrder } from "../attention/row-order.js";
import { embed, finalNorm, head, type Shard, transformer } from "../model/transformer.js";
import type { Step } from "../wire/step.js";
import { computedRows, type LastRows } from "./last-rows.js";
import type { PhaseClock } from "./phase-clock.js";
import { planStep, type StepPlan, type StepSpan } from "./step-plan.js";

/** What a step is to compute. */
export interface StepToCompute {
  readonly step: Step;
  readonly spans: readonly StepSpan[];
  /** The rows that the head reads; null on a stage without one. */
  readonly rows: LastRows<StepSpan> | null;
  /** The type of the hidden state for the next stage. */
  readonly activations: GgmlType;
}

/** What a step computes: `hidden` on a stage without the head; with it `logits` and `states`, where some are wanted. */
export interface StepOutputs {
  /** [rows, dim] (ne [dim, rows]) of the type that the next stage expects. */
  readonly hidden?: Tensor;
  /** f32 [rows of logits, vocabSize] (ne [vocabSize, rows of logits]) */
  readonly logits?: Tensor;
  /** f32 [rows, dim] (ne [dim, rows]), after the final norm. */
  readonly states?: Tensor;
}

interface Described {
  readonly shape: string;
  readonly inputs: StepInputs;
  readonly outputs: StepOutputs;
}

/**
 * The graph of a shard's steps. Where Rhone's kernels attend, a graph depends only on numbers of rows, sequences and
 * pages: a step like the last one fills the same graph with other numbers, which saves describing it (1.6 ms of 9 for a
 * token of SmolLM2-135M).
 */
export class StepGraph {
  readonly graph: Graph;
  readonly #backend: Backend;
  readonly #shard: Shard;
  readonly #keeps: boolean;
  /** The last step's, if it can be filled again. */
  #described: Described | undefined;

  constructor(backend: Backend, shard: Shard) {
    this.#backend = backend;
    this.#shard = shard;
    this.graph = Graph.open(backend, { maxTensors: 4096 + shard.weights.layers.size * 2048 });
    this.#keeps = PagedAttention.isPossible(this.graph, shard);
  }

  /** Computes a step with rows; `outputs` are readable until the next one. Throws GGML_FAILED, OUT_OF_MEMORY. */
  async compute(
    wanted: StepToCompute,
    clock: PhaseClock,
  ): Promise<{ outputs: StepOutputs; order: RowOrder<StepSpan> }> {
    const shape = this.#keeps ? this.#shapeOf(wanted) : undefined;
    const same = shape !== undefined && this.#described?.shape === shape ? this.#described : undefined;
    this.#described = undefined;
    if (same === undefined) this.graph.reset();
    const inputs = same?.inputs.again() ?? new StepInputs(this.graph);
    const plan = planStep(this.graph, wanted.spans, { shard: this.#shard, inputs });
    const [source, chosen] = [this.#source(wanted.step, plan, inputs), chosenRows(wanted, plan, inputs)];
    const outputs = same?.outputs ?? this.#describe(wanted, plan, { source, chosen });
    clock.end("build");
    inputs.fill();
    clock.end("fill");
    await this.#backend.compute(this.graph);
    clock.end("compute");
    if (shape !== undefined) this.#described = { shape, inputs, outputs };
    return { outputs, order: plan.order };
  }

  close(): void {
    this.graph.close();
  }

  /** Equal for steps whose graphs differ only in what their inputs hold. */
  #shapeOf({ step, spans, rows, activations }: StepToCompute): string {
    const tables = PagedAttention.tableEntries(spans, this.#shard);
    const source = step.hidden === null ? "tokens" : step.hidden.type;
    const count = spans.reduce((sum, span) => sum + span.count, 0);
    return [count, spans.length, tables, source, activations, rows?.logits.length, rows?.count].join(" ");
  }

  /** What the first of the shard's layers starts from: token ids i32 [rows], or a hidden state [rows, dim]. */
  #source({ tokens, hidden }: Step, { order }: StepPlan, inputs: StepInputs): Tensor {
    if (hidden === null) {
      const ids = order.toComputed(new Uint8Array(tokens.buffer), Int32Array.BYTES_PER_ELEMENT);
      return inputs.add(GgmlType.I32, [order.rows], ids);
    }
    const { type, bytes } = hidden;
    const { dim } = this.#shard.config;
    return inputs.add(type, [dim, order.rows], order.toComputed(bytes, rowSize(type, dim)));
  }

  #describe(
    { step, rows, activations }: StepToCompute,
    plan: StepPlan,
    { source, chosen }: { readonly source: Tensor; readonly chosen: Tensor | undefined },
  ): StepOutputs {
    const { graph } = this;
    const wanted = rows === null ? "all" : (chosen ?? "none");
    const x = step.hidden === null ? embed(graph, source, this.#shard.weights) : asF32(graph, source);
    const hidden = transformer(graph, this.#shard, { x, step: plan, wanted });
    const outputs = this.#outputs(hidden, rows, activations);
    graph.allocate();
    return outputs;
  }

  #outputs(hidden: Tensor | undefined, rows: LastRows | null, activations: GgmlType): StepOutputs {
    const { graph } = this;
    if (hidden === undefined) return {};
    if (rows !== null) return this.#headOutputs(hidden, rows);
    return { hidden: graph.output(activations === GgmlType.F32 ? hidden : graph.cast(hidden, activations)) };
  }

  /**
   * Only the rows of logits go through the head, the model's largest product. They are normed apart from the states, in
   * one node with the quantization that the head needs: a step with pooled rows then gives its logits the bits that
   * they have without.
   */
  #headOutputs(hidden: Tensor, { logits, pooled }: LastRows): StepOutputs {
    const { graph } = this;
    const shard = this.#shard;
    const logitsOf = (rows: Tensor) => graph.output(head(graph, finalNorm(graph, rows, shard), shard));
    if (pooled.length === 0) return { logits: logitsOf(hidden) };
    const states = graph.output(finalNorm(graph, hidden, shard));
    if (logits.length === 0) return { states };
    const { dim } = shard.config;
    return { states, logits: logitsOf(graph.view2d(hidden, [dim, logits.length], [rowSize(GgmlType.F32, dim)])) };
  }
}

const asF32 = (graph: Graph, x: Tensor): Tensor => (x.type === GgmlType.F32 ? x : graph.cast(x, GgmlType.F32));

/** i32 [rows.count]: the rows that the head reads; undefined where there are none. */
function chosenRows({ rows }: StepToCompute, { order }: StepPlan, inputs: StepInputs): Tensor | undefined {
  if (rows === null || rows.count === 0) return undefined;
  return inputs.add(GgmlType.I32, [rows.count], computedRows(rows, order));
}
