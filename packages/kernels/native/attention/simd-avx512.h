// Attention's vectors with AVX-512: 16 floats.
#pragma once
#include "../lanes-avx2.h"

namespace {

struct Simd {
  using V = __m512;
  using Four = Lanes::Four;
  static constexpr int W = 16;
  static constexpr int MIX = 4;  // vectors of V that a set mixes at once: 4 queries x 4 = 16 sums in registers

  static inline V all(float x) { return _mm512_set1_ps(x); }
  static inline V add(V a, V b) { return _mm512_add_ps(a, b); }
  static inline V sub(V a, V b) { return _mm512_sub_ps(a, b); }
  static inline V mul(V a, V b) { return _mm512_mul_ps(a, b); }
  static inline V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
  static inline V fnma(V a, V b, V c) { return _mm512_fnmadd_ps(a, b, c); }
  static inline V max(V a, V b) { return _mm512_max_ps(a, b); }
  static inline V round(V x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static inline V load(const float *p) { return _mm512_loadu_ps(p); }
  static inline V load(const uint16_t *f16) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)f16)); }
  static inline void store(float *p, V x) { _mm512_storeu_ps(p, x); }
  // 2^k for whole k in [-126, 127].
  static inline V two_to(V k) {
    const __m512i exponent = _mm512_add_epi32(_mm512_cvtps_epi32(k), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(exponent, 23));
  }

  static inline V zero_below(V x, V limit, V y) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, limit, _CMP_NLT_UQ), y);
  }

  static inline __m256 upper(V x) { return _mm512_extractf32x8_ps(x, 1); }
  static inline __m256 lower(V x) { return _mm512_castps512_ps256(x); }
  static inline __m128 first_four(V x) { return _mm512_castps512_ps128(x); }
  static inline V spread(__m128 x) { return _mm512_broadcast_f32x4(x); }

  // The largest of lanes i, i + 4, i + 8 and i + 12.
  static inline __m128 largest_of_fourths(V x) {
    const __m256 y = _mm256_max_ps(lower(x), upper(x));
    return _mm_max_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  }

  // Sums of a block of 32 by position modulo 4: what is 16 apart, then 8, then 4.
  static inline __m128 sums_of_fourths(const V x[2]) {
    const V z = add(x[0], x[1]);
    const __m256 y = _mm256_add_ps(lower(z), upper(z));
    return _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  }

  // An element of widened keys: those of positions j and j + 4 of every eight come together, in turns of 8 elements.
  struct Key {
    float of_two[2];
  };
  static constexpr int KEY_GAP = 16;
  static inline float *key_row(float *keys, int j, int head_dim) {
    return keys + (j / 8 * 4 + j % 4) * head_dim * 2 + j % 8 / 4 * 8;
  }

  // Positions whose scores are computed at once.
  template <int Q> static constexpr int STEP = 16;

  // p[i * 32 + j] = q[i] . k[j] for Q queries and 16 positions. A vector holds 8 elements of two positions, j and
  // j + 4: eight sums per product, added as ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)), as AVX2 does.
  template <int Q, class T> static inline void scores(const T *const *k, const float *q, int head_dim, float *p) {
    if constexpr (Q <= 2) {
      V sums[Q][8];
      multiply<Q, 8>(k, q, head_dim, sums);
      for (int i = 0; i < Q; i++) store(p + i * 32, reduce(sums[i], sums[i] + 4));
    } else {
      V of[2][2];  // by half of the positions: scores of queries 0 and 1, then 2 and 3
      for (int half = 0; half < 2; half++) {
        V sums[Q][4];
        multiply<Q, 4>(k + half * 8, q, head_dim, sums);
        of[half][0] = reduce(sums[0], sums[1]);
        of[half][1] = reduce(sums[2], sums[Q - 1]);
      }
      for (int i = 0; i < Q; i++) {
        const V both = i % 2 == 0 ? _mm512_shuffle_f32x4(of[0][i / 2], of[1][i / 2], 0x44)
                                  : _mm512_shuffle_f32x4(of[0][i / 2], of[1][i / 2], 0xee);
        store(p + i * 32, both);
      }
    }
  }

 private:
  template <int Q, int N, class T>
  static inline void multiply(const T *const *k, const float *q, int head_dim, V (&sums)[Q][N]) {
    for (int i = 0; i < Q; i++)
      for (int n = 0; n < N; n++) sums[i][n] = all(0);
    for (int d = 0; d < head_dim; d += 8) {
      V keys[N];
      for (int n = 0; n < N; n++) keys[n] = pair(k[n / 4 * 8 + n % 4] + d, k[n / 4 * 8 + n % 4 + 4] + d);
      for (int i = 0; i < Q; i++) {
        const V x = _mm512_broadcast_f32x8(_mm256_loadu_ps(q + i * head_dim + d));
        for (int n = 0; n < N; n++) sums[i][n] = fma(x, keys[n], sums[i][n]);
      }
    }
  }

  static inline V pair(const Key *both, const Key *) { return _mm512_loadu_ps((const float *)both); }

  static inline V pair(const uint16_t *a, const uint16_t *b) {
    const __m256i first = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)a));
    return _mm512_cvtph_ps(_mm256_inserti128_si256(first, _mm_loadu_si128((const __m128i *)b), 1));
  }

  static inline V pair(const float *a, const float *b) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(a)), _mm256_loadu_ps(b), 1);
  }

  // Within each quarter: a0 + a1, a2 + a3, b0 + b1, b2 + b3.
  static inline V add_neighbours(V a, V b) {
    return add(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
  }

  // Eight sums of positions 0, 1, 2, 3 (lower halves of a) and 4, 5, 6, 7 (upper halves); then the same of b.
  static inline V reduce(const V a[4], const V b[4]) {
    const V x = add_neighbours(add_neighbours(a[0], a[1]), add_neighbours(a[2], a[3]));
    const V y = add_neighbours(add_neighbours(b[0], b[1]), add_neighbours(b[2], b[3]));
    return add(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xdd));
  }
};

}  // namespace
