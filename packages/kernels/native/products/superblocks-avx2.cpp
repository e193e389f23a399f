// Products with weights that have a scale per 256 k and smaller ones per 32 or 16 (Q4_K, Q5_K, Q6_K), on AVX2.
//
// A sub-block of 16 k is 4 `maddubs` that are added up in int16: at most 4 * 2 * 31 * 128 = 31,744; for Q6_K, whose
// weights are q - 32, they start at the activations' `pairs` and may wrap around on the way to at most 32,512.
// `madd` multiplies them by the sub-block's scale into int32, where 256 k are exact; then comes one step in f32.
// Nibbles of Q4_K need no unpacking into memory, and 32 k of one scale fit in an int16: 8 * 2 * 15 * 128 = 30,720.
#include "rows-avx2.h"
#include "superblock.h"

namespace {

struct Ints {
  __m256i half[2];
};

// Adds sub-block `s` to the int32 sums of all tokens.
template <class Type, int T>
[[gnu::always_inline]] static inline void add_sub_block(const Superblock &w, int s, const char *block, Ints sums[T]) {
  __m256i bytes[SUB_LINES][2], scale[2];
  for (int h = 0; h < 2; h++) {
    scale[h] = load_half((const char *)w.scales[s], h);
    for (int i = 0; i < SUB_LINES; i++) bytes[i][h] = load_half(w.lines[s * SUB_LINES + i], h);
  }
#pragma GCC unroll 16
  for (int t = 0; t < T; t++, fence()) {
    __m256i products[2] = {};
    if (!Type::HAS_MINIMUM) products[0] = products[1] = broadcast_4_bytes(block + T * PAIRS_AT + t * 64 + s * 4);
#pragma GCC unroll 4
    for (int i = 0; i < SUB_LINES; i++) {
      const __m256i x = broadcast_4_bytes(block + t * 256 + s * 16 + i * 4);
      for (int h = 0; h < 2; h++) products[h] = _mm256_add_epi16(products[h], _mm256_maddubs_epi16(bytes[i][h], x));
    }
    for (int h = 0; h < 2; h++)
      sums[t].half[h] = _mm256_add_epi32(sums[t].half[h], _mm256_madd_epi16(products[h], scale[h]));
  }
}

// Adds 32 k of 8 rows, `lines` of them in registers, to the int32 sums of all tokens; the first begins at `q`.
template <int T>
[[gnu::always_inline]] static inline void add_32(const __m256i lines[8], __m256i scale, const char *q, int half,
                                                 Ints sums[T]) {
#pragma GCC unroll 16
  for (int t = 0; t < T; t++, fence()) {
    __m256i products = _mm256_maddubs_epi16(lines[0], broadcast_4_bytes(q + t * 256));
#pragma GCC unroll 8
    for (int i = 1; i < 8; i++)
      products = _mm256_add_epi16(products, _mm256_maddubs_epi16(lines[i], broadcast_4_bytes(q + t * 256 + i * 4)));
    sums[t].half[half] = _mm256_add_epi32(sums[t].half[half], _mm256_madd_epi16(products, scale));
  }
}

// A unit of Q4_K without a detour through memory.
template <int T>
[[gnu::always_inline]] static inline void add_nibbles(const char *unit, const Superblock &w, const char *block,
                                                      Ints sums[T]) {
  for (int h = 0; h < 2; h++)
    for (int part = 0; part < 4; part++) {
      const char *lines = unit + Q4_K::NIBBLES + part * 8 * LINE;
      __m256i low[8], high[8];
      prefetch_part<Q4_K>(unit, h * 8 + part * 2);
      for (int i = 0; i < 8; i++) low[i] = bits<0>(load_half(lines + i * LINE, h), 15);
      add_32<T>(low, load_half((const char *)w.scales[part * 4], h), block + part * 64, h, sums);
      prefetch_part<Q4_K>(unit, h * 8 + part * 2 + 1);
      for (int i = 0; i < 8; i++) high[i] = bits<4>(load_half(lines + i * LINE, h), 15);
      add_32<T>(high, load_half((const char *)w.scales[part * 4 + 2], h), block + part * 64 + 32, h, sums);
    }
}

// What the minimums of the sub-blocks take away: f32 results - d_minimum * sum(minimum * sum(x)).
template <int T>
[[gnu::always_inline]] static inline void subtract_minimums(const Superblock &w, const char *block, Sums<T> &results) {
  for (int h = 0; h < 2; h++) {
    const __m256 d = halves_to_floats(w.d_minimum + h * 16);
    for (int t = 0; t < T; t++) {
      __m256i sum = _mm256_setzero_si256();
      for (int i = 0; i < 4; i++) {
        const __m256i x = broadcast_4_bytes(block + T * SUMS_AT + t * 16 + i * 4);
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(load_half((const char *)w.minimums[i], h), x));
      }
      const __m256 dx = broadcast_float(block + T * D_AT + t * 4);
      results.sum[t][h] = _mm256_fnmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(d, dx), results.sum[t][h]);
    }
  }
}

template <class Type> struct Superblocks {
  template <int T> static void tile(const Tile &tile) {
    Sums<T> results(tile);
    const char *unit = tile.weights, *block = tile.activations;
    Superblock w;
    for (int u = 0; u < tile.units; u++, unit += Type::UNIT, block += T * SUPERBLOCK_BYTES) {
      multiply_superblock(unit, w, block, results);
    }
    results.store(tile);
  }

  template <int T>
  static void multiply_superblock(const char *unit, Superblock &w, const char *block, Sums<T> &results) {
    Ints sums[T] = {};
    if constexpr (Type::LARGEST < 16) {
      unpack_scales(unit, w);
      add_nibbles<T>(unit, w, block, sums);
    } else {
      Type::unpack(unit, w);
      for (int s = 0; s < SUB_BLOCKS; s++) {
        prefetch_part<Type>(unit, s);
        add_sub_block<Type, T>(w, s, block, sums);
      }
    }
    const __m256 d[2] = {halves_to_floats(w.d), halves_to_floats(w.d + 16)};
    for (int t = 0; t < T; t++) {
      const __m256 dx = broadcast_float(block + T * D_AT + t * 4);
      for (int h = 0; h < 2; h++)
        results.sum[t][h] =
            _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums[t].half[h]), _mm256_mul_ps(d[h], dx), results.sum[t][h]);
    }
    if constexpr (Type::HAS_MINIMUM) subtract_minimums<T>(w, block, results);
  }
};

}  // namespace

void rk_superblocks_avx2(const rk_product_job *job, int64_t first, int64_t end) {
  if (job->type == RK_Q4_K) multiply<Superblocks<Q4_K>>(*job, first, end);
  else if (job->type == RK_Q5_K) multiply<Superblocks<Q5_K>>(*job, first, end);
  else multiply<Superblocks<Q6_K>>(*job, first, end);
}
