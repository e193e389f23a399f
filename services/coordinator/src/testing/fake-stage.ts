import assert from "node:assert/strict";
import type { rhone } from "@rhone/proto";
import { firstVisible } from "../scheduler/sliding-window.js";
import { nextToken, scoreOf } from "./next-token.js";

type Step = rhone.v1.Step.$Properties;
type Span = rhone.v1.Span.$Properties;

interface OpenSequence {
  readonly uid: number;
  readonly table: number[];
  end: number;
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
}

/**
 * A stage whose K/V is the tokens themselves. It obeys page tables as a real one does, and fails as soon as a row sees
 * a position that holds anything but what its own sequence wrote there.
 */
export class FakeStage {
  readonly #shape: FakeStageShape;
  readonly #slots: (Slot | undefined)[];
  readonly #open = new Map<number, OpenSequence>();
  #uids = 0;

  constructor(shape: FakeStageShape) {
    this.#shape = shape;
    this.#slots = new Array(shape.pages * shape.pageSize);
  }

  get openSequences(): number {
    return this.#open.size;
  }

  /** Runs the step; the answer is what the last stage would draw. */
  run(step: Step): rhone.v1.StepResult.$Properties {
    for (const open of step.opens ?? []) this.#openSequence(open.sequence ?? 0);
    const tokens = new Int32Array(Uint8Array.from(step.tokens ?? []).buffer);
    const spans = step.spans ?? [];
    let row = 0;
    for (const span of spans) {
      this.#write(span, tokens.subarray(row, row + (span.count ?? 0)));
      row += span.count ?? 0;
    }
    assert.equal(row, tokens.length, "one token per row");
    const results = spans.map((span) => this.#read(span));
    for (const id of step.closes ?? []) assert(this.#open.delete(id), `close of unknown sequence ${id}`);
    return { spans: results };
  }

  #openSequence(id: number): void {
    assert(!this.#open.has(id), `sequence ${id} opened twice`);
    this.#open.set(id, { uid: ++this.#uids, table: [], end: 0 });
  }

  #write(span: Span, tokens: Int32Array): void {
    const sequence = this.#sequence(span);
    sequence.table.push(...(span.pages ?? []));
    assert.equal(span.position, sequence.end, "spans are consecutive");
    tokens.forEach((token, index) => {
      const position = sequence.end + index;
      this.#slots[this.#slot(sequence, position)] = { uid: sequence.uid, position, token };
    });
    sequence.end += tokens.length;
  }

  #read(span: Span): rhone.v1.SpanResult.$Properties {
    const last = (span.position ?? 0) + (span.count ?? 0) - 1;
    const rows = Array.from({ length: span.count ?? 0 }, (_, index) => (span.position ?? 0) + index);
    const visible = rows.map((position) => this.#visible(span, position));
    const scores = (span.targets ?? []).map((target, index) => ({
      token: target,
      logprob: scoreOf(visible[index] ?? [], rows[index] ?? 0, target),
    }));
    const drawn = { token: nextToken(visible.at(-1) ?? [], last) };
    const sampled = span.sample ?? false;
    return { sequence: span.sequence ?? 0, position: last, sampled, scores, ...(sampled && { token: drawn }) };
  }

  #visible(span: Span, position: number): readonly number[] {
    const sequence = this.#sequence(span);
    const first = firstVisible(position, this.#shape.slidingWindow);
    assert(Math.floor(first / this.#shape.pageSize) >= (span.firstPage ?? 0), "first_page hides a visible position");
    const tokens: number[] = [];
    for (let seen = first; seen <= position; seen++) {
      const slot = this.#slots[this.#slot(sequence, seen)];
      assert(slot?.uid === sequence.uid && slot.position === seen, `position ${seen} was overwritten`);
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
