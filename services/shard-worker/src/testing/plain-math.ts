/**
 * A transformer's arithmetic on plain arrays of numbers, as the papers write it: slow, in f64, easy to check by eye.
 */

/** One array per row. */
export type Rows = readonly (readonly number[])[];

/** x · weightᵀ. `weight` holds [out, in] row by row. */
export function linear(x: Rows, weight: ArrayLike<number>): Rows {
  return x.map((row) =>
    Array.from({ length: weight.length / row.length }, (_, out) =>
      row.reduce((sum, value, i) => sum + value * (weight[out * row.length + i] ?? 0), 0),
    ),
  );
}

export const add = (a: Rows, b: Rows): Rows => a.map((row, r) => row.map((value, i) => value + (b[r]?.[i] ?? 0)));

export function rmsNorm(x: Rows, weight: ArrayLike<number>, eps: number): Rows {
  return x.map((row) => {
    const scale = 1 / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / row.length + eps);
    return row.map((value, i) => value * scale * (weight[i] ?? 0));
  });
}

/** Applies `change` to each head of each row. */
export const eachHead = (x: Rows, headDim: number, change: (head: Rows, row: number) => Rows): Rows =>
  x.map((row, r) => change(splitHeads(row, headDim), r).flat());

const splitHeads = (row: readonly number[], headDim: number): Rows =>
  Array.from({ length: row.length / headDim }, (_, head) => row.slice(head * headDim, (head + 1) * headDim));

/** Rotates pairs (i, i + n/2) of a head of n elements by position * theta^(-2i/n). */
export function ropeNeox(head: readonly number[], position: number, theta: number): readonly number[] {
  const half = head.length / 2;
  return head.map((value, i) => {
    const angle = position * theta ** ((-2 * (i % half)) / head.length);
    const other = i < half ? -(head[i + half] ?? 0) : (head[i - half] ?? 0);
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

export const swiglu = (gate: Rows, up: Rows): Rows =>
  gate.map((row, r) => row.map((g, i) => (g / (1 + Math.exp(-g))) * (up[r]?.[i] ?? 0)));

/**
 * Causal grouped-query attention over one whole sequence: q [positions, nHeads * headDim], k and v
 * [positions, nKvHeads * headDim]. A row sees itself and the slidingWindow - 1 positions before it; all with window 0.
 */
export function attention(
  q: Rows,
  { k, v }: { readonly k: Rows; readonly v: Rows },
  { headDim, slidingWindow }: { readonly headDim: number; readonly slidingWindow: number },
): Rows {
  const [keys, values] = [k, v].map((rows) => rows.map((row) => splitHeads(row, headDim)));
  return q.map((row, position) => {
    const first = slidingWindow === 0 ? 0 : Math.max(0, position - slidingWindow + 1);
    const shared = row.length / (k[0]?.length ?? 1);
    const positions = Array.from({ length: position - first + 1 }, (_, i) => first + i);
    return splitHeads(row, headDim).flatMap((query, head) => {
      const kvHead = Math.floor(head / shared);
      const scores = positions.map((p) => dot(query, keys?.[p]?.[kvHead] ?? []) / Math.sqrt(headDim));
      const weights = softmax(scores);
      return query.map((_, i) =>
        dot(
          weights,
          positions.map((p) => values?.[p]?.[kvHead]?.[i] ?? 0),
        ),
      );
    });
  });
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);

function softmax(scores: readonly number[]): readonly number[] {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

/** The greatest difference between two equally shaped sets of rows; NaN where they differ in shape. */
export function worstDifference(a: Rows, b: Rows): number {
  if (a.length !== b.length) return Number.NaN;
  return Math.max(...a.flatMap((row, r) => row.map((value, i) => Math.abs(value - (b[r]?.[i] ?? Number.NaN)))));
}
