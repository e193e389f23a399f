import { RhoneError } from "@rhone/common";
import { type Backend, type Engine, GgmlType, Graph, rowSize, type Tensor } from "@rhone/ggml";
import type { rhone } from "@rhone/proto";
import { PageTable } from "../kv-cache/page-table.js";
import { embed, finalNorm, head, type Shard, transformer } from "../model/transformer.js";
import type { Constraints } from "../sampling/constraints.js";
import { readTokens, SequenceSampler, scoreOf } from "../sampling/sequence-sampler.js";
import { checkHidden, ggmlTypeOf } from "./activations.js";
import { indicesOf, type LastRows, lastRows } from "./last-rows.js";
import { PhaseClock, type PhaseTimes } from "./phase-clock.js";
import type { RunnableStage, StageOutput } from "./runnable-stage.js";
import { planStep, type StepPlan, type StepSpan } from "./step-plan.js";
import { sumRows } from "./sum-rows.js";

type Step = rhone.v1.Step.$Properties;
type TokenScore = rhone.v1.TokenScore.$Properties;

export interface StageOptions {
  readonly engine: Engine;
  readonly backend: Backend;
  readonly shard: Shard;
  readonly embeds: boolean;
  readonly heads: boolean;
  /** On the last stage; absent where nothing constrained is drawn. */
  readonly constraints?: Constraints;
}

/** What a step computes: activations for the next stage, or on the last one what `LastRows` asks for. */
interface Computed {
  readonly activations?: Tensor;
  /** f32 [rows, vocabSize] */
  readonly logits?: Tensor;
  /** After the final norm, f32 [rows, dim]: those of the logits first. */
  readonly states?: Tensor;
}

/** A loaded shard at work: page tables and samplers of the open sequences, one step at a time. */
export class Stage implements RunnableStage {
  readonly #options: StageOptions;
  readonly #graph: Graph;
  readonly #tables = new Map<number, PageTable>();
  readonly #samplers = new Map<number, SequenceSampler>();
  readonly #clock = new PhaseClock();

  constructor(options: StageOptions) {
    this.#options = options;
    const layers = options.shard.weights.layers.size;
    this.#graph = Graph.open(options.backend, { maxTensors: 4096 + layers * 2048 });
  }

  /** Milliseconds of the last step that had rows. */
  get phases(): PhaseTimes {
    return this.#clock.times;
  }

  reset(): void {
    for (const sampler of this.#samplers.values()) sampler.close();
    this.#samplers.clear();
    this.#tables.clear();
  }

  /** Throws STAGE_FAILED, OUT_OF_MEMORY, GGML_FAILED. */
  async run(step: Step, activations: rhone.v1.ActivationType): Promise<StageOutput> {
    for (const { from = 0, to = 0 } of step.copies ?? []) this.#options.shard.pages.copy(from ?? 0, to ?? 0);
    for (const open of step.opens ?? []) await this.#openSequence(open);
    const spans = (step.spans ?? []).map((span) => this.#spanOf(span));
    const output = spans.length === 0 ? this.#nothing() : await this.#forward(step, spans, activations);
    for (const sequence of step.closes ?? []) this.#closeSequence(sequence);
    return output;
  }

  close(): void {
    this.reset();
    this.#graph.close();
  }

  #nothing(): StageOutput {
    return this.#options.heads ? { kind: "results", spans: [] } : { kind: "hidden", bytes: new Uint8Array() };
  }

  async #openSequence(open: rhone.v1.SequenceOpen.$Properties): Promise<void> {
    const { engine, shard, heads, constraints } = this.#options;
    const sequence = open.sequence ?? 0;
    this.#closeSequence(sequence);
    this.#tables.set(sequence, new PageTable(shard.pages.shape.pageSize));
    if (!heads) return;
    const matcher = await constraints?.open(open);
    this.#samplers.set(sequence, new SequenceSampler(engine, shard.config.vocabSize, { open, matcher }));
  }

  #closeSequence(sequence: number): void {
    this.#tables.delete(sequence);
    this.#samplers.get(sequence)?.close();
    this.#samplers.delete(sequence);
  }

  #spanOf(message: rhone.v1.Span.$Properties): StepSpan {
    const sequence = message.sequence ?? 0;
    const table = this.#tables.get(sequence);
    if (table === undefined) throw new RhoneError("STAGE_FAILED", `Sequence ${sequence} was not opened on this stage.`);
    this.#options.shard.pages.prepare(message.pages ?? []);
    table.append(message.pages ?? []);
    const { position, count, firstPage } = message;
    return { sequence, position: position ?? 0, count: count ?? 0, firstPage: firstPage ?? 0, table, message };
  }

  async #forward(step: Step, spans: readonly StepSpan[], activations: rhone.v1.ActivationType): Promise<StageOutput> {
    const { backend, shard, heads } = this.#options;
    const graph = this.#graph;
    const clock = this.#clock;
    clock.start();
    graph.reset();
    const plan = planStep(graph, spans, shard);
    const source = this.#source(step, plan);
    const rows = heads ? lastRows(spans, readTokens(step.tokens)) : undefined;
    const chosen = rows === undefined || rows.count === 0 ? undefined : graph.input(GgmlType.I32, [rows.count]);
    const wanted = heads ? (chosen ?? "none") : "all";
    const hidden = transformer(graph, source.hidden, shard, { step: plan, wanted });
    const out = this.#outputs(hidden, rows, activations);
    graph.allocate();
    clock.end("build");
    source.fill();
    plan.fill();
    if (chosen !== undefined && rows !== undefined) graph.setInput(chosen, indicesOf(rows, plan.order));
    clock.end("fill");
    await backend.compute(graph);
    clock.end("compute");
    const output = rows === undefined ? this.#hidden(plan, out) : this.#results(spans, rows, out);
    clock.end("read");
    return output;
  }

  /** The hidden state that the first of the shard's layers takes, f32 [rows, dim]. */
  #source(step: Step, { rows, order }: StepPlan): { readonly hidden: Tensor; readonly fill: () => void } {
    const { shard, embeds } = this.#options;
    const { dim, vocabSize } = shard.config;
    const graph = this.#graph;
    if (embeds) {
      const tokens = step.tokens ?? new Uint8Array();
      checkTokens(readTokens(tokens), { rows, vocabSize });
      const input = graph.input(GgmlType.I32, [rows]);
      const fill = (): void => graph.setInput(input, order.toComputed(tokens, Int32Array.BYTES_PER_ELEMENT));
      return { hidden: embed(graph, input, shard.weights), fill };
    }
    const type = ggmlTypeOf(step.hiddenType ?? 0);
    const bytes = step.hidden ?? new Uint8Array();
    checkHidden(bytes, type, { rows, dim });
    const input = graph.input(type, [dim, rows]);
    const hidden = type === GgmlType.F32 ? input : graph.cast(input, GgmlType.F32);
    return { hidden, fill: () => graph.setInput(input, order.toComputed(bytes, rowSize(type, dim))) };
  }

  /** `hidden`: the rows that are wanted, f32 [rows, dim]; undefined when none is. Activations take the type that the next stage expects. */
  #outputs(hidden: Tensor | undefined, rows: LastRows | undefined, activations: rhone.v1.ActivationType): Computed {
    const graph = this.#graph;
    if (hidden === undefined) return {};
    if (rows !== undefined) return this.#headOutputs(hidden, rows);
    const type = ggmlTypeOf(activations);
    return { activations: graph.output(type === GgmlType.F32 ? hidden : graph.cast(hidden, type)) };
  }

  /** Rows to pool need no logits: the head, a large product, is for the others alone. */
  #headOutputs(hidden: Tensor, { logits, pooled }: LastRows): Computed {
    const { shard } = this.#options;
    const graph = this.#graph;
    const states = finalNorm(graph, hidden, shard);
    if (pooled.length === 0) return { logits: graph.output(head(graph, states, shard)) };
    graph.output(states);
    if (logits.length === 0) return { states };
    const { dim } = shard.config;
    const drawn = graph.view2d(states, [dim, logits.length], [rowSize(GgmlType.F32, dim)]);
    return { states, logits: graph.output(head(graph, drawn, shard)) };
  }

  #hidden({ order, rows }: StepPlan, { activations: out }: Computed): StageOutput {
    const size = out?.packedBytes ?? 0;
    const bytes = out === undefined ? new Uint8Array() : this.#graph.read(out, new Uint8Array(size));
    return { kind: "hidden", bytes: order.toFrame(bytes, size / rows) };
  }

  #results(spans: readonly StepSpan[], rows: LastRows, { logits, states }: Computed): StageOutput {
    const row = new Float32Array(this.#options.shard.config.vocabSize);
    const pooled = this.#sums(rows, states);
    const results = new Map<StepSpan, { scores: TokenScore[]; tokens: TokenScore[]; refuted: boolean }>(
      spans.map((span) => [span, { scores: [], tokens: [], refuted: false }]),
    );
    for (const [index, { span, position, target, draws, guess }] of rows.logits.entries()) {
      const result = results.get(span);
      if (logits === undefined || result === undefined || result.refuted) continue;
      this.#graph.read(logits, row, index * row.byteLength);
      if (target !== undefined) result.scores.push(scoreOf(row, target, span.message.topTargets ?? 0));
      if (!draws) continue;
      const drawn = this.#samplerOf(span).draw(row, position);
      result.tokens.push(drawn);
      result.refuted = guess !== undefined && guess !== drawn.token;
    }
    const answers = [...results].map(([span, { scores, tokens }]) => ({
      sequence: span.sequence,
      tokens,
      scores,
      pooled: pooled.get(span) ?? new Uint8Array(),
    }));
    return { kind: "results", spans: answers };
  }

  /** The sum of each pooled span's rows of `states`, f32 [dim]. */
  #sums({ logits, pooled }: LastRows, states: Tensor | undefined): ReadonlyMap<StepSpan, Uint8Array> {
    const { dim } = this.#options.shard.config;
    const sums = new Map<StepSpan, Uint8Array>();
    if (states === undefined) return sums;
    let first = logits.length;
    for (const span of pooled) {
      const rows = new Float32Array(span.count * dim);
      this.#graph.read(states, rows, first * rowSize(GgmlType.F32, dim));
      sums.set(span, new Uint8Array(sumRows(rows, dim).buffer));
      first += span.count;
    }
    return sums;
  }

  #samplerOf({ sequence }: StepSpan): SequenceSampler {
    const sampler = this.#samplers.get(sequence);
    if (sampler === undefined)
      throw new RhoneError("STAGE_FAILED", `Sequence ${sequence} has no sampler on this stage.`);
    return sampler;
  }
}

function checkTokens(tokens: Int32Array, { rows, vocabSize }: { rows: number; vocabSize: number }): void {
  if (tokens.length !== rows) {
    throw new RhoneError("STAGE_FAILED", `A frame brought ${tokens.length} tokens for ${rows} rows.`);
  }
  const wrong = tokens.find((token) => token < 0 || token >= vocabSize);
  if (wrong === undefined) return;
  throw new RhoneError("STAGE_FAILED", `Token ${wrong} is outside the vocabulary of ${vocabSize}.`);
}
