// Products with weights that have a scale per 32 k, on AVX2.
//
// Nibbles are unsigned bytes q' = q + 8, so that `maddubs` multiplies them by signed activations; the activations'
// field `offset` is what that adds too much. A block's 8 products of pairs are at most 8 * 2 * 15 * 128 = 30,720 and
// are added up in int16. 32 k of 8 rows are 8 registers, which all tokens meet before the other 8 rows follow: with 16
// registers, sums of more than one token at a time would go through memory.
#include "rows-avx2.h"

namespace {

// 32 k of 8 rows, unpacked: line i has k 4i to 4i + 3.
struct Nibbles {
  __m256i lines[8];

  Nibbles(const char *packed, int half) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (int i = 0; i < 4; i++) {
      const __m256i line = line_half(packed + i * LINE, half);
      lines[i] = _mm256_and_si256(line, mask);
      lines[i + 4] = _mm256_and_si256(_mm256_srli_epi16(line, 4), mask);
    }
  }

  // Times 32 activations.
  __m256i times(const char *q) const {
    __m256i sum = _mm256_maddubs_epi16(lines[0], broadcast_4_bytes(q));
#pragma GCC unroll 8
    for (int i = 1; i < 8; i++)
      sum = _mm256_add_epi16(sum, _mm256_maddubs_epi16(lines[i], broadcast_4_bytes(q + i * 4)));
    return _mm256_madd_epi16(sum, _mm256_set1_epi16(1));
  }
};

static inline void prefetch(const char *lines, int count) {
  for (int i = 0; i < count; i++) _mm_prefetch(lines + i * LINE, _MM_HINT_T0);
}

// A block's scales of 8 rows times those of T tokens.
template <int T> struct Scales {
  __m256 d;
  const char *block;

  Scales(const char *halves, const char *block) : d(halves_to_floats(halves)), block(block) {}

  __m256 of(int t) const { return broadcast_float(block + T * 32 + t * 4); }
  __m256i offset(int t) const { return broadcast_4_bytes(block + T * 36 + t * 4); }

  void add(__m256 &result, int t, __m256i sum) const {
    result = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(d, of(t)), result);
  }
};

struct Q4_0 {
  static constexpr int UNIT = 9 * LINE;

  template <int T> static void multiply(const char *unit, int b, const char *block, Sums<T> &results) {
    const char *lines = unit + LINE + b * 4 * LINE;
    prefetch(lines + 3 * UNIT, 4);
    for (int h = 0; h < 2; h++) {
      const Scales<T> scales(unit + b * 32 + h * 16, block);
      const Nibbles w(lines, h);
#pragma GCC unroll 16
      for (int t = 0; t < T; t++, fence())
        scales.add(results.sum[t][h], t, _mm256_add_epi32(w.times(block + t * 32), scales.offset(t)));
    }
  }
};

// Weights are d * q + m: m meets the sum of the activations, offset / -8.
struct Q4_1 {
  static constexpr int UNIT = 10 * LINE;

  template <int T> static void multiply(const char *unit, int b, const char *block, Sums<T> &results) {
    const char *lines = unit + 2 * LINE + b * 4 * LINE;
    prefetch(lines + 3 * UNIT, 4);
    for (int h = 0; h < 2; h++) {
      const Scales<T> scales(unit + b * 32 + h * 16, block);
      const __m256 m = halves_to_floats(unit + LINE + b * 32 + h * 16);
      const Nibbles w(lines, h);
#pragma GCC unroll 16
      for (int t = 0; t < T; t++, fence()) {
        __m256 &result = results.sum[t][h];
        scales.add(result, t, w.times(block + t * 32));
        const __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(scales.offset(t)), _mm256_set1_ps(-0.125f));
        result = _mm256_fmadd_ps(m, _mm256_mul_ps(x, scales.of(t)), result);
      }
    }
  }
};

// Bytes have signs: `maddubs` multiplies their amounts, at most 128, by activations of at most 127 that take the signs.
// A pair of such products is at most 32,512, so each is widened before it is added. 32 k of 8 rows are 8 registers of
// amounts; the signs are read from the weights, in the first-level cache, so that a token's sum stays in a register.
struct Q8_0 {
  static constexpr int UNIT = 17 * LINE;

  template <int T> static void multiply(const char *unit, int b, const char *block, Sums<T> &results) {
    const char *lines = unit + LINE + b * 8 * LINE;
    for (int h = 0; h < 2; h++) {
      const Scales<T> scales(unit + b * 32 + h * 16, block);
      __m256i amounts[8];
      prefetch(lines + 2 * UNIT + h * 4 * LINE, 4);
      for (int i = 0; i < 8; i++) amounts[i] = _mm256_abs_epi8(line_half(lines + i * LINE, h));
#pragma GCC unroll 16
      for (int t = 0; t < T; t++, fence()) {
        __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++) {
          const __m256i x = broadcast_4_bytes(block + t * 32 + i * 4);
          const __m256i pairs = _mm256_maddubs_epi16(amounts[i], _mm256_sign_epi8(x, line_half(lines + i * LINE, h)));
          sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
        }
        scales.add(results.sum[t][h], t, sum);
      }
    }
  }
};

template <class Type> struct Blocks {
  template <int T> static void tile(const Tile &tile) {
    Sums<T> results(tile);
    const char *unit = tile.weights, *block = tile.activations;
    for (int u = 0; u < tile.units; u++, unit += Type::UNIT)
      for (int b = 0; b < 2; b++, block += T * BLOCK_BYTES) Type::multiply(unit, b, block, results);
    results.store(tile);
  }
};

}  // namespace

void rk_blocks_avx2(const rk_product_job *job, int64_t first, int64_t end) {
  if (job->type == RK_Q4_0) multiply<Blocks<Q4_0>>(*job, first, end);
  else if (job->type == RK_Q4_1) multiply<Blocks<Q4_1>>(*job, first, end);
  else multiply<Blocks<Q8_0>>(*job, first, end);
}
