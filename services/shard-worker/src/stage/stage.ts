import { type Backend, GgmlType, Graph, RowReader, rowSize, type Tensor } from "@rhone/ggml";
import { embed, finalNorm, head, type Shard, transformer } from "../model/transformer.js";
import type { Constraints } from "../sampling/constraints.js";
import { SequenceSampler } from "../sampling/sequence-sampler.js";
import type { StepContext, StepLimits } from "../wire/read-step.js";
import type { SequenceReady, StageOutput, Step } from "../wire/step.js";
import { computedRows, type LastRows, lastRows } from "./last-rows.js";
import { OpenSequences, type Samplers } from "./open-sequences.js";
import { PhaseClock, type PhaseTimes } from "./phase-clock.js";
import { spanResults } from "./span-results.js";
import { planStep, type StepPlan, type StepSpan } from "./step-plan.js";

/** A loaded shard as its runner sees it. */
export interface RunnableStage extends StepContext {
  /**
   * Forgets every sequence: a new epoch begins. `onReady`: called on the last stage once for each constrained sequence,
   * unless it closes before its grammar is prepared.
   */
  reset(onReady: (ready: SequenceReady) => void): void;
  /**
   * Runs one step that `readStep` has checked against this stage; the runner waits for it before the next.
   * `activations`: the type that the next stage expects.
   */
  run(step: Step, activations: GgmlType): Promise<StageOutput>;
}

export interface StageOptions {
  readonly backend: Backend;
  readonly shard: Shard;
  readonly embeds: boolean;
  readonly heads: boolean;
  /** Most rows of one step. */
  readonly maxRows: number;
  /** The grammars of constrained sequences; used where `heads`. */
  readonly constraints: Constraints;
}

/** A loaded shard at work: the page tables and samplers of the open sequences, and one step at a time. */
export class Stage implements RunnableStage {
  readonly limits: StepLimits;
  readonly #options: StageOptions;
  readonly #graph: Graph;
  readonly #sequences: OpenSequences;
  readonly #clock = new PhaseClock();
  /** Reads logits; null on a stage without the head. */
  readonly #reader: RowReader | null;

  constructor(options: StageOptions) {
    const { shard, backend } = options;
    this.#options = options;
    this.limits = limitsOf(options);
    this.#graph = Graph.open(backend, { maxTensors: 4096 + shard.weights.layers.size * 2048 });
    this.#reader = options.heads ? new RowReader(backend) : null;
    this.#sequences = new OpenSequences(shard.pages.shape.pageSize, this.#samplers());
  }

  /** Milliseconds of the last step that had rows. */
  get phases(): PhaseTimes {
    return this.#clock.times;
  }

  pageCount(sequence: number): number | undefined {
    return this.#sequences.get(sequence)?.table.length;
  }

  mayDraw(sequence: number): boolean {
    return !this.#options.heads || this.#sequences.get(sequence)?.sampler != null;
  }

  reset(onReady: (ready: SequenceReady) => void): void {
    this.#sequences.reset(onReady);
  }

  /** Throws OUT_OF_MEMORY and GGML_FAILED. */
  async run(step: Step, activations: GgmlType): Promise<StageOutput> {
    this.#sequences.open(step.opens);
    for (const { from, to } of step.copies) this.#options.shard.pages.copy(from, to);
    const spans = step.spans.map((span) => this.#extendTable(span));
    const output = spans.length === 0 ? this.#nothing(activations) : await this.#forward(step, spans, activations);
    for (const sequence of step.closes) this.#sequences.close(sequence);
    return output;
  }

  close(): void {
    this.#sequences.closeAll();
    this.#reader?.close();
    this.#graph.close();
  }

  #nothing(type: GgmlType): StageOutput {
    if (this.#options.heads) return { kind: "results", spans: [] };
    return { kind: "hidden", hidden: { type, bytes: new Uint8Array() } };
  }

  #samplers(): Samplers | null {
    const { heads, constraints } = this.#options;
    if (!heads) return null;
    const open: Samplers["open"] = (open, matcher) => new SequenceSampler(open, matcher);
    return { open, prepare: (open, signal) => constraints.open(open, signal) };
  }

  #extendTable(span: Step["spans"][number]): StepSpan {
    const { table } = this.#openSequence(span.sequence);
    this.#options.shard.pages.prepare(span.pages);
    table.append(span.pages);
    return { ...span, table };
  }

  #openSequence(sequence: number) {
    const open = this.#sequences.get(sequence);
    if (open === undefined) throw new RangeError(`sequence ${sequence} is not open: the step was not checked`);
    return open;
  }

  async #forward(step: Step, spans: readonly StepSpan[], activations: GgmlType): Promise<StageOutput> {
    const { backend, shard, heads } = this.#options;
    const graph = this.#graph;
    const clock = this.#clock;
    clock.start();
    graph.reset();
    const plan = planStep(graph, spans, shard);
    const source = this.#source(step, plan);
    const rows = heads ? lastRows(spans, step.tokens) : null;
    const chosen = rows === null || rows.count === 0 ? null : graph.input(GgmlType.I32, [rows.count]);
    const wanted = heads ? (chosen ?? "none") : "all";
    const hidden = transformer(graph, shard, { x: source.hidden, step: plan, wanted });
    const read = rows === null ? this.#activations(hidden, plan, activations) : this.#results(hidden, spans, rows);
    graph.allocate();
    clock.end("build");
    source.fill();
    plan.fill();
    if (chosen !== null && rows !== null) graph.setInput(chosen, computedRows(rows, plan.order));
    clock.end("fill");
    await backend.compute(graph);
    clock.end("compute");
    const output = await read();
    clock.end("read");
    return output;
  }

  /** The hidden state that the first of the shard's layers takes, f32 [rows, dim] (ne [dim, rows]). */
  #source({ tokens, hidden }: Step, { rows, order }: StepPlan): { readonly hidden: Tensor; readonly fill: () => void } {
    const { weights, config } = this.#options.shard;
    const graph = this.#graph;
    if (hidden === null) {
      const input = graph.input(GgmlType.I32, [rows]);
      const bytes = new Uint8Array(tokens.buffer);
      const fill = (): void => graph.setInput(input, order.toComputed(bytes, Int32Array.BYTES_PER_ELEMENT));
      return { hidden: embed(graph, input, weights), fill };
    }
    const { type, bytes } = hidden;
    const input = graph.input(type, [config.dim, rows]);
    return {
      hidden: type === GgmlType.F32 ? input : graph.cast(input, GgmlType.F32),
      fill: () => graph.setInput(input, order.toComputed(bytes, this.limits.rowBytes(type))),
    };
  }

  /** Outputs the hidden state in the type that the next stage expects; reads it once it is computed. */
  #activations(hidden: Tensor | undefined, { order, rows }: StepPlan, type: GgmlType): () => StageOutput {
    if (hidden === undefined) throw new RangeError("a stage without the head wants every row");
    const graph = this.#graph;
    const output = graph.output(type === GgmlType.F32 ? hidden : graph.cast(hidden, type));
    return () => {
      const bytes = graph.read(output, new Uint8Array(output.packedBytes));
      return { kind: "hidden", hidden: { type, bytes: order.toFrame(bytes, bytes.byteLength / rows) } };
    };
  }

  /** Outputs the logits and states of `rows`; draws and scores after computing. `hidden`: undefined without rows. */
  #results(hidden: Tensor | undefined, spans: readonly StepSpan[], rows: LastRows): () => Promise<StageOutput> {
    const { dim } = this.#options.shard.config;
    const graph = this.#graph;
    const { logits, states } = hidden === undefined ? {} : this.#headOutputs(hidden, rows);
    return async () => {
      const results = await spanResults(spans, rows, {
        read: (requests) => computed(this.#reader).read({ graph, tensor: computed(logits) }, requests),
        states: (first, count) => {
          const into = new Float32Array(count * dim);
          return graph.read(computed(states), into, first * rowSize(GgmlType.F32, dim));
        },
        sampler: (sequence) => computed(this.#openSequence(sequence).sampler),
      });
      return { kind: "results", spans: results };
    };
  }

  /**
   * logits: f32 [rows of logits, vocabSize] (ne [vocabSize, rows of logits]). states: f32 [rows, dim] (ne [dim, rows]),
   * after the final norm. Only the rows of logits go through the head, the model's largest product. They are normed
   * apart from the states, in one node with the quantization that the head needs: a step with pooled rows then gives
   * its logits the bits that they have without.
   */
  #headOutputs(hidden: Tensor, { logits, pooled }: LastRows): { readonly logits?: Tensor; readonly states?: Tensor } {
    const { shard } = this.#options;
    const graph = this.#graph;
    const logitsOf = (rows: Tensor) => graph.output(head(graph, finalNorm(graph, rows, shard), shard));
    if (pooled.length === 0) return { logits: logitsOf(hidden) };
    const states = graph.output(finalNorm(graph, hidden, shard));
    if (logits.length === 0) return { states };
    const { dim } = shard.config;
    return { states, logits: logitsOf(graph.view2d(hidden, [dim, logits.length], [rowSize(GgmlType.F32, dim)])) };
  }
}

function computed<T>(value: T | null | undefined): T {
  if (value == null) throw new RangeError("something was read that this step did not compute");
  return value;
}

function limitsOf({ shard, embeds, maxRows }: StageOptions): StepLimits {
  const { vocabSize, dim, slidingWindow } = shard.config;
  const { pages, pageSize } = shard.pages.shape;
  return { embeds, vocabSize, pages, pageSize, slidingWindow, maxRows, rowBytes: (type) => rowSize(type, dim) };
}
