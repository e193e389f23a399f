// Attention's vectors with AVX2: 8 floats.
#pragma once
#include <immintrin.h>
#include <stdint.h>

namespace {

struct Simd {
  using V = __m256;
  static constexpr int W = 8;
  static constexpr int MIX = 2;  // vectors of V that a set mixes at once: 4 queries x 2 = 8 of the 16 registers

  static inline V all(float x) { return _mm256_set1_ps(x); }
  static inline V add(V a, V b) { return _mm256_add_ps(a, b); }
  static inline V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static inline V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static inline V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
  static inline V fnma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }
  static inline V max(V a, V b) { return _mm256_max_ps(a, b); }
  static inline V round(V x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static inline V load(const float *p) { return _mm256_loadu_ps(p); }
  static inline V load(const uint16_t *f16) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)f16)); }
  static inline void store(float *p, V x) { _mm256_storeu_ps(p, x); }
  // 2^k for whole k in [-126, 127].
  static inline V two_to(V k) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
  }

  static inline V zero_below(V x, V limit, V y) { return _mm256_and_ps(_mm256_cmp_ps(x, limit, _CMP_NLT_UQ), y); }

  static inline __m128 first_four(V x) { return _mm256_castps256_ps128(x); }
  static inline V spread(__m128 x) { return _mm256_broadcast_ps(&x); }

  // The larger of lanes i and i + 4.
  static inline __m128 largest_of_fourths(V x) {
    return _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  }

  // Sums of a block of 32 by position modulo 4: what is 16 apart, then 8, then 4.
  static inline __m128 sums_of_fourths(const V x[4]) {
    const V y = add(add(x[0], x[2]), add(x[1], x[3]));
    return _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
  }

  // An element of widened keys, which are rows of f32.
  using Key = float;
  static constexpr int KEY_GAP = 8;
  static inline float *key_row(float *keys, int j, int head_dim) { return keys + j * head_dim; }

  // Positions whose scores are computed at once: Q * STEP <= 8 sums.
  template <int Q> static constexpr int STEP = Q == 1 ? 8 : Q == 2 ? 4 : 2;

  // p[i * 32 + j] = q[i] . k[j] for Q queries and STEP<Q> positions: eight sums per product, added as
  // ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)).
  template <int Q, class T> static inline void scores(const T *const *k, const float *q, int head_dim, float *p) {
    constexpr int N = STEP<Q>;
    V sums[Q * N];
    for (int i = 0; i < Q * N; i++) sums[i] = all(0);
    for (int d = 0; d < head_dim; d += 8) {
      V keys[N];
      for (int n = 0; n < N; n++) keys[n] = load(k[n] + d);
      for (int i = 0; i < Q; i++) {
        const V x = load(q + i * head_dim + d);
        for (int n = 0; n < N; n++) sums[i * N + n] = fma(x, keys[n], sums[i * N + n]);
      }
    }
    for (int i = 0; i < Q * N; i += 4) {
      const int next = i + 2 < Q * N ? i + 2 : i;
      const __m128 four = reduce(sums[i], sums[i + 1], sums[next], sums[next + 1]);
      if constexpr (N >= 4) {
        _mm_storeu_ps(p + i / N * 32 + i % N, four);
      } else {
        _mm_storel_pi((__m64 *)(p + i / N * 32), four);
        _mm_storeh_pi((__m64 *)(p + next / N * 32), four);
      }
    }
  }

 private:
  static inline __m128 reduce(V a, V b, V c, V d) {
    const V x = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
    return _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  }
};

}  // namespace
