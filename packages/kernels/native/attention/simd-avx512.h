// Attention's vectors with AVX-512: 16 floats.
#pragma once
#include <immintrin.h>
#include <stdint.h>

namespace {

struct Simd {
  using V = __m512;
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
  static inline float lane0(V x) { return _mm512_cvtss_f32(x); }

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

  static inline float largest(V x) {
    const __m256 y = _mm256_max_ps(lower(x), upper(x));
    __m128 z = _mm_max_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    z = _mm_max_ps(z, _mm_movehl_ps(z, z));
    return _mm_cvtss_f32(_mm_max_ss(z, _mm_movehdup_ps(z)));
  }

  // The sum of 32 values: four eighths at a distance of 16 and 8, then halves.
  static inline float sum_block(const V x[2]) {
    const V z = add(x[0], x[1]);
    const __m256 y = _mm256_add_ps(lower(z), upper(z));
    __m128 h = _mm_add_ps(_mm256_castps256_ps128(y), _mm256_extractf128_ps(y, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
  }

  static inline void widen(float *to, const float *from, int n) {
    for (int i = 0; i < n; i += W) store(to + i, load(from + i));
  }

  static inline void widen(float *to, const uint16_t *f16, int n) {
    for (int i = 0; i < n; i += W) store(to + i, load(f16 + i));
  }

  template <class Q8> static inline void widen(float *to, const Q8 *from, int n) {
    for (int i = 0; i < n / 32; i++)
      for (int j = 0; j < 32; j += W) {
        const __m512i whole = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(from[i].q + j)));
        store(to + i * 32 + j, mul(_mm512_cvtepi32_ps(whole), all(_cvtsh_ss(from[i].d))));
      }
  }

  // Positions whose scores are computed at once.
  template <int Q> static constexpr int STEP = Q <= 2 ? 16 : 8;

  // p[i * 32 + j] = q[i] . k[j] for Q queries and STEP<Q> positions. A vector holds 8 elements of two positions, j and
  // j + 4: eight sums per product, added as ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)), as AVX2 does.
  template <int Q, class T> static inline void scores(const T *const *k, const float *q, int head_dim, float *p) {
    constexpr int N = STEP<Q> / 2;
    V sums[Q][N];
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
    for (int i = 0; i < Q; i += Q <= 2 ? 1 : 2) {
      if constexpr (Q <= 2) {
        store(p + i * 32, reduce(sums[i], sums[i] + 4));
      } else {
        const V two = reduce(sums[i], sums[i + 1 < Q ? i + 1 : i]);
        _mm256_storeu_ps(p + i * 32, lower(two));
        if (i + 1 < Q) _mm256_storeu_ps(p + (i + 1) * 32, upper(two));
      }
    }
  }

 private:
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
