/** rows: f32 [n, dim] -> their sum, f32 [dim], added up in f64. */
export function sumRows(rows: Float32Array, dim: number): Float32Array {
  const sum = new Float64Array(dim);
  for (let start = 0; start < rows.length; start += dim) {
    for (let i = 0; i < dim; i++) sum[i] = (sum[i] as number) + (rows[start + i] as number);
  }
  return Float32Array.from(sum);
}
