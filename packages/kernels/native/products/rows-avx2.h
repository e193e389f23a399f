// 16 rows of f32 results of one token, as two AVX2 registers.
#pragma once
#include <immintrin.h>
#include <string.h>

#include "product.h"

namespace {

// Keeps the compiler from moving loads of one token before the arithmetic of another: with 16 registers it would spill.
static inline void fence() { __asm__ volatile("" ::: "memory"); }

static inline __m256i line_half(const char *line, int half) {
  return _mm256_loadu_si256((const __m256i *)(line + half * 32));
}

static inline __m256i broadcast_4_bytes(const char *from) {
  int32_t word;
  memcpy(&word, from, 4);
  return _mm256_set1_epi32(word);
}

static inline __m256 broadcast_float(const char *from) { return _mm256_broadcast_ss((const float *)from); }

static inline __m256 halves_to_floats(const char *from) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from));
}

// The results of T tokens, `sum[t][half]`.
template <int T> struct Sums {
  __m256 sum[T][2];

  explicit Sums(const Tile &tile) {
    for (int t = 0; t < T; t++)
      for (int h = 0; h < 2; h++)
        sum[t][h] = tile.first ? _mm256_setzero_ps() : load(tile.out + t * tile.stride + h * 8, tile.rows - h * 8);
  }

  void store(const Tile &tile) const {
    const bool adds = tile.last && tile.residual != nullptr;
    for (int t = 0; t < T; t++)
      for (int h = 0; h < 2; h++) {
        __m256 v = sum[t][h];
        const int rows = tile.rows - h * 8;
        if (adds) v = _mm256_add_ps(v, load(tile.residual + t * tile.residual_stride + h * 8, rows));
        store(tile.out + t * tile.stride + h * 8, v, rows);
      }
  }

 private:
  // The first `rows` of 8, all if there are more, none if there are less than one.
  static __m256 load(const float *from, int rows) {
    if (rows >= 8) return _mm256_loadu_ps(from);
    float few[8] = {};
    if (rows > 0) memcpy(few, from, rows * sizeof(float));
    return _mm256_loadu_ps(few);
  }

  static void store(float *to, __m256 v, int rows) {
    if (rows >= 8) return _mm256_storeu_ps(to, v);
    float few[8];
    _mm256_storeu_ps(few, v);
    if (rows > 0) memcpy(to, few, rows * sizeof(float));
  }
};

}  // namespace
