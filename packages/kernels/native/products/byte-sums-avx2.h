// Sums of quantized activations, with AVX2.
#pragma once
#include "../lanes-avx2.h"
#include "activations.h"

namespace {

// Sums of every 4 bytes.
static inline __m256i sums_of_4(__m256i q) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(_mm256_set1_epi8(1), q), _mm256_set1_epi16(1));
}

static inline int32_t sum_of_ints(__m256i v) {
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

static inline int32_t sum_of_bytes(__m256i q) { return sum_of_ints(sums_of_4(q)); }

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
  to.sums[part] = (int16_t)sum_of_ints(fours);
  // In each half, 16 k: those at k % 4 = 0, 1 and at 2, 3.
  pairs = _mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0x4e));
  pairs = times_minus_32_epi16(_mm256_add_epi16(pairs, _mm256_shuffle_epi32(pairs, 0xb1)));
  to.pairs[part * 2] = _mm256_extract_epi32(pairs, 0);
  to.pairs[part * 2 + 1] = _mm256_extract_epi32(pairs, 4);
}

}  // namespace
