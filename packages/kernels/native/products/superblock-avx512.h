// The steps in f32 that follow the whole numbers of 256 k, for 16 rows of a type with a scale per 256.
#pragma once
#include "rows-avx512.h"
#include "superblock.h"

namespace {

// Adds the scaled sums of T tokens, whose activations are `block`.
template <int T>
static inline void add_scaled(const Superblock &w, const char *block, const __m512i sums[T], __m512 results[T]) {
  const __m512 d = halves_to_floats(w.d);
  for (int t = 0; t < T; t++) {
    const __m512 dx = broadcast_float(block + T * D_AT + t * 4);
    results[t] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[t]), _mm512_mul_ps(d, dx), results[t]);
  }
}

// What the minimums of the sub-blocks take away: f32 results - d_minimum * sum(minimum * sum(x)).
template <int T> static inline void subtract_minimums(const Superblock &w, const char *block, __m512 results[T]) {
  const __m512 d = halves_to_floats(w.d_minimum);
  __m512i minimums[4];
  for (int i = 0; i < 4; i++) minimums[i] = load_line((const char *)w.minimums[i]);
  for (int t = 0; t < T; t++) {
    __m512i sum = _mm512_setzero_si512();
    for (int i = 0; i < 4; i++)
      sum = _mm512_dpwssd_epi32(sum, minimums[i], broadcast_4_bytes(block + T * SUMS_AT + t * 16 + i * 4));
    const __m512 dx = broadcast_float(block + T * D_AT + t * 4);
    results[t] = _mm512_fnmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(d, dx), results[t]);
  }
}

}  // namespace
