/** Rows per span, in the order of a frame or in the order of computation. */
export interface Rows {
  readonly count: number;
}

/** A frame's rows come span by span; a stage computes its spans in an order of its own. Translates between the two. */
export class RowOrder<Span extends Rows> {
  /** The frame's row of each computed row; undefined when the orders are the same. */
  readonly #frameRows: Int32Array | undefined;
  readonly #starts: ReadonlyMap<Span, number>;

  constructor(frame: readonly Span[], computed: readonly Span[]) {
    this.#starts = startsOf(computed);
    const frameStarts = startsOf(frame);
    const rows = computed.flatMap((span) =>
      Array.from({ length: span.count }, (_, i) => (frameStarts.get(span) ?? 0) + i),
    );
    this.#frameRows = rows.every((row, i) => row === i) ? undefined : Int32Array.from(rows);
  }

  /** Where the span's first row is computed. */
  startOf(span: Span): number {
    return this.#starts.get(span) ?? 0;
  }

  /** Rows of `rowBytes` in the frame's order, put into the order of computation. The same bytes when the orders agree. */
  toComputed(bytes: Uint8Array, rowBytes: number): Uint8Array {
    return this.#moved(bytes, rowBytes, (frame, computed) => [frame, computed]);
  }

  /** The way back. */
  toFrame(bytes: Uint8Array, rowBytes: number): Uint8Array {
    return this.#moved(bytes, rowBytes, (frame, computed) => [computed, frame]);
  }

  #moved(
    bytes: Uint8Array,
    rowBytes: number,
    way: (frame: number, computed: number) => readonly [number, number],
  ): Uint8Array {
    if (this.#frameRows === undefined) return bytes;
    const moved = new Uint8Array(bytes.byteLength);
    for (const [computed, frame] of this.#frameRows.entries()) {
      const [from, to] = way(frame, computed);
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
