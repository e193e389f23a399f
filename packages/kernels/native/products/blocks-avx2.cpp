// Products with weights that have a scale per 32 k, on AVX2.
//
// Nibbles are unsigned bytes q' = q + 8, so that `maddubs` multiplies them by signed activations; the activations' field
// `offset` is what that adds too much. A block's 8 products of pairs are at most 8 * 2 * 15 * 128 = 30,720 and are added
// up in int16. Both halves of a group share each broadcast of 4 activations. The low nibbles of all tokens come first,
// then the high ones: 8 registers of weights at a time.
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

// Adds the products of 16 k to int16 sums.
static inline void add_products(const Nibbles &w, const char *q, __m256i sums[2], bool first) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    const __m256i x = broadcast_4_bytes(q + i * 4);
    for (int h = 0; h < 2; h++) {
      const __m256i product = _mm256_maddubs_epi16(w.bytes[i][h], x);
      sums[h] = first && i == 0 ? product : _mm256_add_epi16(sums[h], product);
    }
  }
}

struct Q4_0 {
  template <int T> static void tile(const Tile &tile) {
    Sums<T> results(tile);
    const char *unit = tile.weights, *block = tile.activations;
    for (int u = 0; u < tile.units; u++, unit += 9 * LINE)
      for (int b = 0; b < 2; b++, block += T * BLOCK_BYTES)
        multiply_block(unit + b * 32, unit + LINE + b * 4 * LINE, block, results);
    results.store(tile);
  }

  template <int T>
  static void multiply_block(const char *scales, const char *lines, const char *block, Sums<T> &results) {
    for (int i = 0; i < 4; i++) _mm_prefetch(lines + i * LINE + AHEAD, _MM_HINT_T0);
    __m256i sums[T][2];
    const Nibbles low(lines, false);
    for (int t = 0; t < T; t++, fence()) add_products(low, block + t * 32, sums[t], true);
    const Nibbles high(lines, true);
    const __m256 d[2] = {halves_to_floats(scales), halves_to_floats(scales + 16)};
#pragma GCC unroll 16
    for (int t = 0; t < T; t++, fence()) {
      add_products(high, block + t * 32 + 16, sums[t], false);
      const __m256i offset = broadcast_4_bytes(block + T * 36 + t * 4);
      const __m256 dx = broadcast_float(block + T * 32 + t * 4);
      for (int h = 0; h < 2; h++) {
        const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(sums[t][h], _mm256_set1_epi16(1)), offset);
        results.sum[t][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(d[h], dx), results.sum[t][h]);
      }
    }
  }

  static constexpr int AHEAD = 3 * 9 * LINE;  // bytes from what is multiplied to what is prefetched
};

}  // namespace

void rk_product_avx2(const rk_product_job *job, int64_t first, int64_t end) { multiply<Q4_0>(*job, first, end); }
