// The arithmetic of quantize-avx2.cpp: sums in a fixed order of lanes, and an exponential of our own.
#pragma once
#include <immintrin.h>
#include <stdint.h>

namespace {

static inline __m256 magnitude(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), v); }

static inline float largest(__m256 v) {
  __m128 m = _mm_max_ps(_mm256_extractf128_ps(v, 1), _mm256_castps256_ps128(v));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

// 32 f32 times `scale`, rounded to the nearest int8, in order.
static inline __m256i to_int8(const __m256 v[4], float scale) {
  __m256i i[4];
  for (int j = 0; j < 4; j++) i[j] = _mm256_cvtps_epi32(_mm256_mul_ps(v[j], _mm256_set1_ps(scale)));
  const __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(i[0], i[1]), _mm256_packs_epi32(i[2], i[3]));
  return _mm256_permutevar8x32_epi32(packed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

static inline int32_t sum(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

// Sums of every 4 bytes.
static inline __m256i sums_of_4(__m256i q) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), q), _mm256_set1_epi16(1));
}

// As ggml's Q8_0: d = f16(max|v| / 127), q = round(v * (127 / max|v|)).
static inline void quantize_block(const __m256 v[4], int8_t *q, float *d, int32_t *offset) {
  __m256 m = magnitude(v[0]);
  for (int i = 1; i < 4; i++) m = _mm256_max_ps(m, magnitude(v[i]));
  const float most = largest(m);
  const __m256i bytes = to_int8(v, most != 0 ? 127.0f / most : 0.0f);
  _mm256_storeu_si256((__m256i *)q, bytes);
  *d = _cvtsh_ss(_cvtss_sh(most / 127.0f, _MM_FROUND_TO_NEAREST_INT));
  *offset = -8 * sum(sums_of_4(bytes));
}

// Fields of one token in a block of 256; see activations.h.
struct SuperblockFields {
  int8_t *q;
  float *d;
  int16_t *sums;
  int32_t *pairs, *eighths;
};

// -32 * v, in lanes of 16 or 32 bits.
static inline __m128i times_minus_32(__m128i v) { return _mm_slli_epi32(_mm_sub_epi32(_mm_setzero_si128(), v), 5); }
static inline __m256i times_minus_32_epi16(__m256i v) {
  return _mm256_slli_epi16(_mm256_sub_epi16(_mm256_setzero_si256(), v), 5);
}

// The sums of 32 int8, number `part` of 8.
static inline void sum_part(__m256i bytes, int part, const SuperblockFields &to) {
  __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
  const __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  const __m256i eights = _mm256_permute4x64_epi64(_mm256_hadd_epi32(fours, fours), 0x08);
  _mm_storeu_si128((__m128i *)(to.eighths + part * 4), times_minus_32(_mm256_castsi256_si128(eights)));
  to.sums[part] = (int16_t)sum(fours);
  // In each half, 16 k: those at k % 4 = 0, 1 and at 2, 3.
  pairs = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0x4e));
  pairs = times_minus_32_epi16(_mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0xb1)));
  to.pairs[part * 2] = _mm256_extract_epi32(pairs, 0);
  to.pairs[part * 2 + 1] = _mm256_extract_epi32(pairs, 4);
}

// As ggml's Q8_K, but that d is positive: q = round(v * (127 / max|v|)), d = 1 / (127 / max|v|).
static inline void quantize_superblock(const float v[256], const SuperblockFields &to) {
  __m256 m = _mm256_setzero_ps();
  for (int i = 0; i < 256; i += 8) m = _mm256_max_ps(m, magnitude(_mm256_loadu_ps(v + i)));
  const float most = largest(m), inverse = most != 0 ? 127.0f / most : 0.0f;
  *to.d = most != 0 ? 1.0f / inverse : 0.0f;
  for (int part = 0; part < 8; part++) {
    __m256 four[4];
    for (int i = 0; i < 4; i++) four[i] = _mm256_loadu_ps(v + part * 32 + i * 8);
    const __m256i bytes = to_int8(four, inverse);
    _mm256_storeu_si256((__m256i *)(to.q + part * 32), bytes);
    sum_part(bytes, part, to);
  }
}

static inline float sum_of_squares(const float *x, int64_t k) {
  __m256 s[4] = {};
  for (int64_t i = 0; i < k; i += 32)
    for (int j = 0; j < 4; j++) {
      const __m256 v = _mm256_loadu_ps(x + i + j * 8);
      s[j] = _mm256_fmadd_ps(v, v, s[j]);
    }
  const __m256 all = _mm256_add_ps(_mm256_add_ps(s[0], s[1]), _mm256_add_ps(s[2], s[3]));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

// e^x within 2e-7 of it, for |x| <= 87; beyond that e^87 or e^-87. Cephes' polynomial, as in expf.
static inline __m256 exponential(__m256 x) {
  x = _mm256_min_ps(_mm256_set1_ps(87.0f), _mm256_max_ps(_mm256_set1_ps(-87.0f), x));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), 8);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  const float factors[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
  __m256 p = _mm256_set1_ps(1.9875691500e-4f);
  for (float factor : factors) p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(factor));
  p = _mm256_add_ps(_mm256_fmadd_ps(p, _mm256_mul_ps(r, r), r), _mm256_set1_ps(1.0f));
  const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
}

static inline __m256 silu(__m256 x) {
  const __m256 e = exponential(_mm256_sub_ps(_mm256_setzero_ps(), x));
  return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), e));
}

}  // namespace
