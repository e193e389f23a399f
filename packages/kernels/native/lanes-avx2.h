// Eight lanes of AVX2: what quantizing, writing and attention are made of. lanes-neon.h has the same with NEON; every
// function gives the same bits in both, so that code above them has the same bits too.
#pragma once
#include <immintrin.h>
#include <stdint.h>

namespace {

struct Lanes {
  using V = __m256;       // 8 floats
  using Four = __m128;    // 4 floats
  using Ints = __m256i;   // 8 int32
  using Bytes = __m256i;  // 32 int8
  static constexpr int W = 8;

  static inline V all(float x) { return _mm256_set1_ps(x); }
  static inline V add(V a, V b) { return _mm256_add_ps(a, b); }
  static inline V sub(V a, V b) { return _mm256_sub_ps(a, b); }
  static inline V mul(V a, V b) { return _mm256_mul_ps(a, b); }
  static inline V div(V a, V b) { return _mm256_div_ps(a, b); }
  static inline V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }    // a b + c
  static inline V fms(V a, V b, V c) { return _mm256_fmsub_ps(a, b, c); }    // a b - c
  static inline V fnma(V a, V b, V c) { return _mm256_fnmadd_ps(a, b, c); }  // c - a b
  static inline V max(V a, V b) { return _mm256_max_ps(a, b); }              // b if either is NaN
  static inline V min(V a, V b) { return _mm256_min_ps(a, b); }              // b if either is NaN
  static inline V round(V x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static inline V magnitude(V x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
  static inline V zero_below(V x, V limit, V y) { return _mm256_and_ps(_mm256_cmp_ps(x, limit, _CMP_NLT_UQ), y); }
  // 2^k for whole k in [-126, 127].
  static inline V two_to(V k) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(nearest(k), _mm256_set1_epi32(127)), 23));
  }

  static inline V load(const float *p) { return _mm256_loadu_ps(p); }
  static inline V load(const uint16_t *f16) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)f16)); }
  static inline V load(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
  }
  static inline void store(float *p, V x) { _mm256_storeu_ps(p, x); }
  static inline void store(uint16_t *f16, V x) {
    _mm_storeu_si128((__m128i *)f16, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
  }
  static inline float from_half(uint16_t x) { return _cvtsh_ss(x); }
  static inline uint16_t to_half(float x) { return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT); }

  // Whole numbers: the nearest, even ones between two; INT32_MIN if there is none.
  static inline Ints nearest(V x) { return _mm256_cvtps_epi32(x); }
  // 32 numbers as int8 in order, limited to -127 and 127: a NaN has a negative, which products need.
  static inline Bytes to_bytes(const Ints i[4]) {
    const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(i[0], i[1]), _mm256_packs_epi32(i[2], i[3]));
    const Bytes ordered = _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    return _mm256_max_epi8(ordered, _mm256_set1_epi8(-127));
  }
  static inline void store(int8_t *p, Bytes x) { _mm256_storeu_si256((__m256i *)p, x); }

  static inline Four lower(V x) { return _mm256_castps256_ps128(x); }
  static inline Four upper(V x) { return _mm256_extractf128_ps(x, 1); }
  static inline V spread(Four x) { return _mm256_broadcast_ps(&x); }
  // In each half: a0 + a1, a2 + a3, b0 + b1, b2 + b3.
  static inline V add_neighbours(V a, V b) { return _mm256_hadd_ps(a, b); }

  static inline Four add(Four a, Four b) { return _mm_add_ps(a, b); }
  static inline Four sub(Four a, Four b) { return _mm_sub_ps(a, b); }
  static inline Four max(Four a, Four b) { return _mm_max_ps(a, b); }
  static inline Four fma(Four a, Four b, Four c) { return _mm_fmadd_ps(a, b, c); }
  static inline Four load_four(const float *p) { return _mm_loadu_ps(p); }
  static inline void store(float *p, Four x) { _mm_storeu_ps(p, x); }
  static inline void store_low(float *p, Four x) { _mm_storel_pi((__m64 *)p, x); }
  static inline void store_high(float *p, Four x) { _mm_storeh_pi((__m64 *)p, x); }
  static inline float first(Four x) { return _mm_cvtss_f32(x); }
  static inline Four zip_low(Four a, Four b) { return _mm_unpacklo_ps(a, b); }   // a0 b0 a1 b1
  static inline Four zip_high(Four a, Four b) { return _mm_unpackhi_ps(a, b); }  // a2 b2 a3 b3
  static inline Four lows(Four a, Four b) { return _mm_movelh_ps(a, b); }        // a0 a1 b0 b1
  static inline Four highs(Four a, Four b) { return _mm_movehl_ps(b, a); }       // a2 a3 b2 b3

  static inline float largest(V x) {
    Four m = max(upper(x), lower(x));
    m = max(m, highs(m, m));
    return first(max(m, _mm_movehdup_ps(m)));
  }
  // The sum of i and i + 4, then of what is 2 apart, then 1.
  static inline float sum(V x) {
    const Four four = add(lower(x), upper(x)), two = add(four, highs(four, four));
    return first(add(two, _mm_movehdup_ps(two)));
  }

  // Four pairs a b that lie side by side become fma(a, cos, -(b sin)), fma(a, sin, b cos).
  static inline void rotate_pairs(float *out, const float *x, const float *cosines, const float *sines) {
    const Four c = load_four(cosines), s = load_four(sines);
    const V cs = _mm256_set_m128(zip_high(c, s), zip_low(c, s)), sc = _mm256_permute_ps(cs, 0xb1);
    const V v = load(x), a = _mm256_moveldup_ps(v), b = _mm256_movehdup_ps(v);
    store(out, _mm256_fmaddsub_ps(a, cs, mul(b, sc)));
  }
};

}  // namespace
