// 16 rows of f32 results of one token, as one AVX-512 register.
#pragma once
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // gcc 12 says it of its own intrinsics
#endif
#include <immintrin.h>
#include <string.h>

#include "product.h"

namespace {

static inline __m512i load_line(const char *line) { return _mm512_loadu_si512(line); }

static inline __m512i broadcast_4_bytes(const char *from) {
  int32_t word;
  memcpy(&word, from, 4);
  return _mm512_set1_epi32(word);
}

static inline __m512 broadcast_float(const char *from) { return _mm512_castsi512_ps(broadcast_4_bytes(from)); }

static inline __m512 halves_to_floats(const char *from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from));
}

static inline __mmask16 mask_of(const Tile &tile) { return (__mmask16)((1u << tile.rows) - 1); }

// What T tokens have so far.
template <int T> static inline void load_sums(const Tile &tile, __m512 sums[T]) {
  for (int t = 0; t < T; t++)
    sums[t] = tile.first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask_of(tile), tile.out + t * tile.stride);
}

template <int T> static inline void store_sums(const Tile &tile, const __m512 sums[T]) {
  const __mmask16 rows = mask_of(tile);
  const bool adds = tile.last && tile.residual != nullptr;
  for (int t = 0; t < T; t++) {
    __m512 v = sums[t];
    if (adds) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(rows, tile.residual + t * tile.residual_stride));
    _mm512_mask_storeu_ps(tile.out + t * tile.stride, rows, v);
  }
}

}  // namespace
