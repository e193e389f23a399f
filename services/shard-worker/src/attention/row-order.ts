/** Anything that has a number of rows. */
export interface Rows {
  readonly count: number;
}

/**
 * A frame's rows come span by span in the frame's order; a stage computes the spans in an order of its own. Translates
 * between the two.
 */
export class RowOrder<Span extends Rows> {
  readonly rows: number;
  readonly #computed: readonly Span[];
  /** The frame's row of each computed row; undefined when the orders are the same. */
  readonly #frameRows: Int32Array | undefined;
  readonly #starts: ReadonlyMap<Span, number>;

  /** Both lists hold the same spans. */
  constructor(frame: readonly Span[], computed: readonly Span[]) {
    this.#computed = computed;
    this.#starts = startsOf(computed);
    const frameStarts = startsOf(frame);
    const frameRows = this.eachRow((span, i) => (frameStarts.get(span) ?? 0) + i);
    this.rows = frameRows.length;
    this.#frameRows = frameRows.every((row, i) => row === i) ? undefined : frameRows;
  }

  /** The computed row of the span's first row. */
  startOf(span: Span): number {
    return this.#starts.get(span) ?? 0;
  }

  /** A number for each computed row, from its span and its index in the span. */
  eachRow(of: (span: Span, i: number) => number): Int32Array {
    return Int32Array.from(this.#computed.flatMap((span) => Array.from({ length: span.count }, (_, i) => of(span, i))));
  }

  /**
   * Rows of `rowBytes` bytes, moved from the frame's order to the order of computation; `bytes` itself when they agree.
   */
  toComputed(bytes: Uint8Array, rowBytes: number): Uint8Array {
    return this.#move(bytes, rowBytes, (frame, computed) => [frame, computed]);
  }

  /** The inverse of `toComputed`. */
  toFrame(bytes: Uint8Array, rowBytes: number): Uint8Array {
    return this.#move(bytes, rowBytes, (frame, computed) => [computed, frame]);
  }

  #move(
    bytes: Uint8Array,
    rowBytes: number,
    direction: (frame: number, computed: number) => readonly [from: number, to: number],
  ): Uint8Array {
    if (this.#frameRows === undefined) return bytes;
    const moved = new Uint8Array(bytes.byteLength);
    for (const [computed, frame] of this.#frameRows.entries()) {
      const [from, to] = direction(frame, computed);
      moved.set(bytes.subarray(from * rowBytes, (from + 1) * rowBytes), to * rowBytes);
    }
    return moved;
  }
}

function startsOf<Span extends Rows>(spans: readonly Span[]): ReadonlyMap<Span, number> {
  const starts = new Map<Span, number>();
  let start = 0;
  for (const span of spans) {
    starts.set(span, start);
    start += span.count;
  }
  return starts;
}
