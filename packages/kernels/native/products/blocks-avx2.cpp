// Products with weights that have a scale per 32 k, on AVX2.
//
// Nibbles are unsigned bytes q' = q + 8, so that `maddubs` multiplies them by signed activations; the activations'
// field `offset` is what that adds too much. A block's 8 products of pairs are at most 8 * 2 * 15 * 128 = 30,720 and
// are added up in int16. Both halves of a group share each broadcast of 4 activations. The low nibbles of all tokens
// come first, then the high ones: 8 registers of weights at a time.
#include "rows-avx2.h"

namespace {

// Four lines, unpacked: [line][half] bytes.
struct Nibbles {
  __m256i bytes[4][2];

  Nibbles(const char *lines, bool high) {
    const __m256i mask = _mm256_set1_epi8(15);
    for (int i = 0; i < 4; i++)
      for (int h = 0; h < 2; h++) {
        const __m256i line = line_half(lines + i * LINE, h);
        bytes[i][h] = _mm256_and_si256(high ? _mm256_srli_epi16(line, 4) : line, mask);
      }
  }
};

// What T tokens have of a block, per pair of k.
template <int T> struct Int16Sums {
  __m256i sum[T][2];

  // Adds 16 k, which begin at `q` in the first token.
  void add(const Nibbles &w, const char *q, bool first) {
#pragma GCC unroll 16
    for (int t = 0; t < T; t++, fence())
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) {
        const __m256i x = broadcast_4_bytes(q + t * 32 + i * 4);
        for (int h = 0; h < 2; h++) {
          const __m256i product = _mm256_maddubs_epi16(w.bytes[i][h], x);
          sum[t][h] = first && i == 0 ? product : _mm256_add_epi16(sum[t][h], product);
        }
      }
  }

  // Both pairs.
  __m256i total(int t, int half) const { return _mm256_madd_epi16(sum[t][half], _mm256_set1_epi16(1)); }
};

static inline void prefetch(const char *lines, int count) {
  for (int i = 0; i < count; i++) _mm_prefetch(lines + i * LINE, _MM_HINT_T0);
}

// A block's scales of 16 rows times those of T tokens.
template <int T> struct Scales {
  __m256 d[2];
  const char *block;

  Scales(const char *halves, const char *block)
      : d{halves_to_floats(halves), halves_to_floats(halves + 16)}, block(block) {}

  __m256 of(int t) const { return broadcast_float(block + T * 32 + t * 4); }
  __m256i offset(int t) const { return broadcast_4_bytes(block + T * 36 + t * 4); }

  void add(Sums<T> &results, int t, int h, __m256i sum) const {
    results.sum[t][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(d[h], of(t)), results.sum[t][h]);
  }
};

struct Q4_0 {
  static constexpr int UNIT = 9 * LINE;

  template <int T> static void multiply(const char *unit, int b, const char *block, Sums<T> &results) {
    const char *lines = unit + LINE + b * 4 * LINE;
    prefetch(lines + 3 * UNIT, 4);
    Int16Sums<T> sums;
    sums.add(Nibbles(lines, false), block, true);
    sums.add(Nibbles(lines, true), block + 16, false);
    const Scales<T> scales(unit + b * 32, block);
    for (int t = 0; t < T; t++)
      for (int h = 0; h < 2; h++) scales.add(results, t, h, _mm256_add_epi32(sums.total(t, h), scales.offset(t)));
  }
};

// Weights are d * q + m: m meets the sum of the activations, offset / -8.
struct Q4_1 {
  static constexpr int UNIT = 10 * LINE;

  template <int T> static void multiply(const char *unit, int b, const char *block, Sums<T> &results) {
    const char *lines = unit + 2 * LINE + b * 4 * LINE, *m = unit + LINE + b * 32;
    prefetch(lines + 3 * UNIT, 4);
    Int16Sums<T> sums;
    sums.add(Nibbles(lines, false), block, true);
    sums.add(Nibbles(lines, true), block + 16, false);
    const Scales<T> scales(unit + b * 32, block);
    for (int t = 0; t < T; t++) {
      const __m256 x = _mm256_mul_ps(_mm256_cvtepi32_ps(scales.offset(t)), _mm256_set1_ps(-0.125f));
      for (int h = 0; h < 2; h++) {
        scales.add(results, t, h, sums.total(t, h));
        results.sum[t][h] =
            _mm256_fmadd_ps(halves_to_floats(m + h * 16), _mm256_mul_ps(x, scales.of(t)), results.sum[t][h]);
      }
    }
  }
};

// Bytes have signs: `maddubs` multiplies their amounts, at most 128, by activations of at most 127 that take the signs.
// A pair of such products is at most 32,512, so each is widened before it is added.
struct Q8_0 {
  static constexpr int UNIT = 17 * LINE;

  template <int T> static void multiply(const char *unit, int b, const char *block, Sums<T> &results) {
    const char *lines = unit + LINE + b * 8 * LINE;
    prefetch(lines + 2 * UNIT, 8);
    const Scales<T> scales(unit + b * 32, block);
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sums[T][2];
    for (int part = 0; part < 4; part++) {
      __m256i q[2][2], amount[2][2];
      for (int i = 0; i < 2; i++)
        for (int h = 0; h < 2; h++) {
          q[i][h] = line_half(lines + (part * 2 + i) * LINE, h);
          amount[i][h] = _mm256_abs_epi8(q[i][h]);
        }
#pragma GCC unroll 16
      for (int t = 0; t < T; t++, fence())
        for (int i = 0; i < 2; i++) {
          const __m256i x = broadcast_4_bytes(block + t * 32 + part * 8 + i * 4);
          for (int h = 0; h < 2; h++) {
            const __m256i pairs = _mm256_maddubs_epi16(amount[i][h], _mm256_sign_epi8(x, q[i][h]));
            const __m256i sum = _mm256_madd_epi16(pairs, ones);
            sums[t][h] = part == 0 && i == 0 ? sum : _mm256_add_epi32(sums[t][h], sum);
          }
        }
    }
    for (int t = 0; t < T; t++)
      for (int h = 0; h < 2; h++) scales.add(results, t, h, sums[t][h]);
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
