import { type Backend, GgmlType, RowReader, rowSize } from "@rhone/ggml";
import type { RowOrder } from "../attention/row-order.js";
import type { Shard } from "../model/transformer.js";
import type { Constraints } from "../sampling/constraints.js";
import { SequenceSampler } from "../sampling/sequence-sampler.js";
import type { DrawnToken } from "../wire/drawn-token.js";
import type { StepContext, StepLimits } from "../wire/read-step.js";
import type { SequenceReady, StageOutput, Step } from "../wire/step.js";
import { type LastRows, lastRows } from "./last-rows.js";
import { OpenSequences, type Samplers } from "./open-sequences.js";
import { PhaseClock, type PhaseTimes } from "./phase-clock.js";
import { spanResults } from "./span-results.js";
import { StepGraph, type StepOutputs } from "./step-graph.js";
import type { StepSpan } from "./step-plan.js";

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
  readonly #graph: StepGraph;
  readonly #sequences: OpenSequences;
  readonly #clock = new PhaseClock();
  /** Reads logits; null on a stage without the head. */
  readonly #reader: RowReader | null;

  constructor(options: StageOptions) {
    const { shard, backend } = options;
    this.#options = options;
    this.limits = limitsOf(options);
    this.#graph = new StepGraph(backend, shard);
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

  drawn(sequence: number): DrawnToken | null {
    return this.#sequences.get(sequence)?.drawn ?? null;
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
    const rows = this.#options.heads ? lastRows(spans, step.tokens) : null;
    const clock = this.#clock;
    clock.start();
    const { outputs, order } = await this.#graph.compute({ step, spans, rows, activations }, clock);
    const output =
      rows === null ? this.#activations(outputs, order, activations) : await this.#results(outputs, spans, rows);
    clock.end("read");
    return output;
  }

  /** The hidden state for the next stage, in the frame's order. */
  #activations(outputs: StepOutputs, order: RowOrder<StepSpan>, type: GgmlType): StageOutput {
    const hidden = computed(outputs.hidden);
    const bytes = this.#graph.graph.read(hidden, new Uint8Array(hidden.packedBytes));
    return { kind: "hidden", hidden: { type, bytes: order.toFrame(bytes, bytes.byteLength / order.rows) } };
  }

  /** Draws and scores from the logits, and sums the states. */
  async #results(outputs: StepOutputs, spans: readonly StepSpan[], rows: LastRows): Promise<StageOutput> {
    const { dim } = this.#options.shard.config;
    const { graph } = this.#graph;
    const results = await spanResults(spans, rows, {
      read: (requests) => computed(this.#reader).read({ graph, tensor: computed(outputs.logits) }, requests),
      states: (first, count) => {
        const into = new Float32Array(count * dim);
        return graph.read(computed(outputs.states), into, first * rowSize(GgmlType.F32, dim));
      },
      sampler: (sequence) => this.#sequences.sampler(sequence),
    });
    for (const [i, span] of spans.entries()) this.#sequences.drew(span, computed(results[i]));
    return { kind: "results", spans: results };
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
