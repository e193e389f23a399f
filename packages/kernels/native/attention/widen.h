// Rows of pages as f32, eight elements at a time: every variant has AVX2.
#pragma once
#include <immintrin.h>
#include "block.h"

namespace {

static inline __m256 eight(const float *row, int d) { return _mm256_loadu_ps(row + d); }

static inline __m256 eight(const f16 *row, int d) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(row + d)));
}

static inline __m256 eight(const q8_0 *row, int d) {
  const q8_0 &block = row[d / 32];
  const __m256i whole = _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(block.q + d % 32)));
  return _mm256_mul_ps(_mm256_cvtepi32_ps(whole), _mm256_set1_ps(_cvtsh_ss(block.d)));
}

// Every eight elements start `gap` floats after the eight before them.
template <class T> static inline void widen(float *to, int gap, const T *row, int head_dim) {
  for (int d = 0; d < head_dim; d += 8, to += gap) _mm256_storeu_ps(to, eight(row, d));
}

}  // namespace
