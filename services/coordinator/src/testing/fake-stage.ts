import assert from "node:assert/strict";
import { firstVisiblePosition } from "@rhone/planner";
import type { rhone } from "@rhone/proto";
import { type NextToken, scoreOf, stateOf, sumOfStates } from "./next-token.js";

type Step = rhone.v1.Step.$Properties;
type Span = rhone.v1.Span.$Properties;

interface OpenSequence {
  readonly uid: number;
  readonly table: number[];
  /** Earlier positions were computed for other sequences: the prefix cache had them. -1 before the first span. */
  start: number;
  /** The next span may begin here or before, where drafts were wrong. */
  end: number;
  /** The last token that its last span drew, and that token's position. */
  drawn: { readonly token: number; readonly position: number } | null;
  hasFailed: boolean;
}

interface Slot {
  readonly uid: number;
  readonly position: number;
  readonly token: number;
}

export interface FakeStageShape {
  readonly pages: number;
  readonly pageSize: number;
  readonly slidingWindow: number;
  /** The rule that takes the model's place. */
  readonly next: NextToken;
  /** The draw of a token from this one on fails, and its sequence draws nothing any more. */
  readonly failsFrom: number;
}

const FAILED = { code: "GRAMMAR_TOO_COSTLY", message: "the draw failed" };

/**
 * A stage whose K/V is the tokens themselves. It obeys page tables as a real one does, and fails as soon as a row sees
 * a position that holds anything but what its own sequence wrote there.
 */
export class FakeStage {
  readonly #shape: FakeStageShape;
  readonly #slots: (Slot | undefined)[];
  readonly #open = new Map<number, OpenSequence>();
  /** Sequences whose grammars are not prepared. */
  readonly #preparing = new Set<number>();
  #uids = 0;

  constructor(shape: FakeStageShape) {
    this.#shape = shape;
    this.#slots = new Array(shape.pages * shape.pageSize);
  }

  get openSequences(): number {
    return this.#open.size;
  }

  /** Sequences whose grammars are not prepared. */
  get preparing(): readonly number[] {
    return [...this.#preparing];
  }

  prepare(sequence: number): void {
    this.#preparing.delete(sequence);
  }

  /** Runs the step; the answer is what the last stage would draw. */
  run(step: Step): rhone.v1.StepResult.$Properties {
    for (const { from, to } of step.copies ?? []) this.#copy(from ?? 0, to ?? 0);
    for (const open of step.opens ?? []) this.#openSequence(open);
    const tokens = new Int32Array(Uint8Array.from(step.tokens ?? []).buffer);
    const spans = step.spans ?? [];
    let row = 0;
    for (const span of spans) {
      if (span.carried === true) tokens[row] = this.#carried(span);
      this.#write(span, tokens.subarray(row, row + (span.count ?? 0)));
      row += span.count ?? 0;
    }
    assert.equal(row, tokens.length, "one token per row");
    let first = 0;
    const results = spans.map((span) => {
      const end = first + (span.count ?? 0);
      const result = this.#read(span, tokens.subarray(first, end));
      first = end;
      return result;
    });
    for (const id of step.closes ?? []) {
      assert(this.#open.delete(id), `close of unknown sequence ${id}`);
      this.#preparing.delete(id);
    }
    return { spans: results };
  }

  #openSequence({ sequence, constraint }: rhone.v1.SequenceOpen.$Properties): void {
    const id = sequence ?? 0;
    assert(!this.#open.has(id), `sequence ${id} opened twice`);
    if (constraint != null) this.#preparing.add(id);
    this.#open.set(id, { uid: ++this.#uids, table: [], start: -1, end: 0, drawn: null, hasFailed: false });
  }

  #carried(span: Span): number {
    const { drawn } = this.#sequence(span);
    assert.equal(span.count, 1, "a carried row is the only one of its span");
    assert.equal(drawn?.position, span.position, "a carried row follows the row that draws its token");
    return drawn?.token ?? -1;
  }

  #write(span: Span, tokens: Int32Array): void {
    const sequence = this.#sequence(span);
    sequence.table.push(...(span.pages ?? []));
    const start = span.position ?? 0;
    if (sequence.start < 0) sequence.start = start;
    else assert(start >= sequence.start && start <= sequence.end, "spans are consecutive");
    tokens.forEach((token, index) => {
      const position = start + index;
      this.#slots[this.#slot(sequence, position)] = { uid: sequence.uid, position, token };
    });
    sequence.end = start + tokens.length;
  }

  #copy(from: number, to: number): void {
    const { pageSize } = this.#shape;
    for (let row = 0; row < pageSize; row++) this.#slots[to * pageSize + row] = this.#slots[from * pageSize + row];
  }

  #read(span: Span, held: Int32Array): rhone.v1.SpanResult.$Properties {
    assert(!(span.sample && this.#preparing.has(span.sequence ?? 0)), "no span draws before its grammar is prepared");
    const rows = Array.from({ length: span.count ?? 0 }, (_, index) => (span.position ?? 0) + index);
    const visible = rows.map((position) => this.#visible(span, position));
    const scores = (span.targets ?? []).map((target, index) => ({
      token: target,
      logprob: scoreOf(visible[index] ?? [], rows[index] ?? 0, target),
    }));
    const states = rows.map((position, index) => stateOf(visible[index] ?? [], position));
    const pooled = new Uint8Array(span.pool === true ? sumOfStates(states).buffer : new ArrayBuffer(0));
    const tokens = this.#draw(span, rows, { visible, held });
    const sequence = this.#sequence(span);
    const drawn = sequence.hasFailed ? [...tokens, { token: 0 }] : tokens;
    const last = drawn.at(-1);
    const behind = (rows.at(-1) ?? 0) - (span.drafts ?? 0) + drawn.length;
    sequence.drawn = last === undefined ? null : { ...last, position: behind };
    return { sequence: span.sequence ?? 0, scores, tokens, pooled, error: sequence.hasFailed ? FAILED : null };
  }

  /** Draws after the last row that is no draft, and after each draft that equals the token drawn before it. */
  #draw(
    span: Span,
    rows: readonly number[],
    { visible, held }: { readonly visible: readonly (readonly number[])[]; readonly held: Int32Array },
  ): { token: number }[] {
    const sequence = this.#sequence(span);
    const drawn: { token: number }[] = [];
    for (let index = rows.length - 1 - (span.drafts ?? 0); span.sample && index < rows.length; index++) {
      const token = this.#shape.next(visible[index] ?? [], rows[index] ?? 0);
      sequence.hasFailed ||= token >= this.#shape.failsFrom;
      if (sequence.hasFailed) break;
      drawn.push({ token });
      if (token !== held[index + 1]) break;
    }
    return drawn;
  }

  #visible(span: Span, position: number): readonly number[] {
    const sequence = this.#sequence(span);
    const first = firstVisiblePosition(position, this.#shape.slidingWindow);
    assert(Math.floor(first / this.#shape.pageSize) >= (span.firstPage ?? 0), "first_page hides a visible position");
    const tokens: number[] = [];
    for (let seen = first; seen <= position; seen++) {
      const slot = this.#slots[this.#slot(sequence, seen)];
      const whose = seen < sequence.start ? slot?.uid : sequence.uid;
      assert(slot !== undefined && slot.uid === whose && slot.position === seen, `position ${seen} was overwritten`);
      tokens.push(slot.token);
    }
    return tokens;
  }

  #sequence(span: Span): OpenSequence {
    const sequence = this.#open.get(span.sequence ?? 0);
    assert(sequence !== undefined, `span of unknown sequence ${span.sequence}`);
    return sequence;
  }

  #slot(sequence: OpenSequence, position: number): number {
    const { pageSize, pages } = this.#shape;
    const page = sequence.table[Math.floor(position / pageSize)];
    assert(page !== undefined && page < pages, `position ${position} has no page`);
    return page * pageSize + (position % pageSize);
  }
}
