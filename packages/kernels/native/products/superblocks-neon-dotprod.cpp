// Products with weights that have a scale per 256 k and smaller ones per 32 or 16 (Q4_K, Q5_K, Q6_K), on NEON with its
// dot products.
//
// A sub-block of 16 k is 4 `dot` to an int32, exact; `mla` multiplies it by the sub-block's scale and adds it to the
// int32 sum of 256 k, which is exact too. Then comes one step in f32.
#include "superblock-neon.h"

namespace {

// 16 int8 as int32.
static inline void widen(const int8_t *from, int32x4_t to[QUARTERS]) {
  const int8x16_t bytes = vld1q_s8(from);
  const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
  to[0] = vmovl_s16(vget_low_s16(low)), to[1] = vmovl_s16(vget_high_s16(low));
  to[2] = vmovl_s16(vget_low_s16(high)), to[3] = vmovl_s16(vget_high_s16(high));
}

// Adds sub-block `s` to the int32 sums of tokens [FIRST, FIRST + INTERLEAVED) of T, and goes on with those after them.
template <int T, int FIRST = 0>
static inline void add_sub_block(const Superblock &w, int s, const int32x4_t scales[QUARTERS], const char *block,
                                 int32x4_t sums[T][QUARTERS]) {
  constexpr int COUNT = T - FIRST < INTERLEAVED ? T - FIRST : INTERLEAVED;
  int32x4_t part[COUNT][QUARTERS] = {};
  int8x16_t q[COUNT];
  for (int t = 0; t < COUNT; t++) q[t] = bytes_of(block + (FIRST + t) * 256 + s * 16);
  add_16<COUNT>(w.lines[s * SUB_LINES], q, part);
  for (int t = 0; t < COUNT; t++)
    for (int r = 0; r < QUARTERS; r++) sums[FIRST + t][r] = vmlaq_s32(sums[FIRST + t][r], part[t][r], scales[r]);
  if constexpr (FIRST + COUNT < T) add_sub_block<T, FIRST + COUNT>(w, s, scales, block, sums);
}

// What the minimums of the sub-blocks take away: f32 results - d_minimum * sum(minimum * sum(x)).
template <int T> static inline void subtract_minimums(const Superblock &w, const char *block, Results<T> &results) {
  int32x4_t sums[T][QUARTERS] = {};
  for (int i = 0; i < SUB_BLOCKS / 2; i++) {
    int32x4_t minimums[QUARTERS];
    widen(w.minimums[i], minimums);
    for (int t = 0; t < T; t++) {
      const int32_t x = read<int16_t>(block + T * SUMS_AT + t * 16 + i * 2);
      for (int r = 0; r < QUARTERS; r++) sums[t][r] = vmlaq_n_s32(sums[t][r], minimums[r], x);
    }
  }
  for (int r = 0; r < QUARTERS; r++) {
    const float32x4_t d = halves_to_floats(w.d_minimum + r * 8);
    for (int t = 0; t < T; t++) {
      const float dx = read<float>(block + T * D_AT + t * 4);
      results.of[t][r] = vfmsq_f32(results.of[t][r], vcvtq_f32_s32(sums[t][r]), vmulq_n_f32(d, dx));
    }
  }
}

template <class Type> struct Superblocks {
  template <int T> static void tile(const Tile &tile) {
    Results<T> results(tile);
    const char *unit = tile.weights, *block = tile.activations;
    Superblock w;
    for (int u = 0; u < tile.units; u++, unit += Type::UNIT, block += T * SUPERBLOCK_BYTES) {
      Type::unpack(unit, w);
      multiply_superblock(w, block, results);
    }
    results.store(tile);
  }

  template <int T> static void multiply_superblock(const Superblock &w, const char *block, Results<T> &results) {
    int32x4_t sums[T][QUARTERS] = {};
    for (int s = 0; s < SUB_BLOCKS; s++) {
      int32x4_t scales[QUARTERS];
      widen(w.scales[s], scales);
      add_sub_block<T>(w, s, scales, block, sums);
    }
    for (int r = 0; r < QUARTERS; r++) {
      const float32x4_t d = halves_to_floats(w.d + r * 8);
      for (int t = 0; t < T; t++) {
        const float dx = read<float>(block + T * D_AT + t * 4);
        results.of[t][r] = vfmaq_f32(results.of[t][r], vcvtq_f32_s32(sums[t][r]), vmulq_n_f32(d, dx));
      }
    }
    if constexpr (Type::HAS_MINIMUM) subtract_minimums<T>(w, block, results);
  }
};

}  // namespace

void rk_superblocks_neon_dotprod(const rk_product_job *job, int64_t first, int64_t end) {
  if (job->type == RK_Q4_K) multiply<Superblocks<Q4_K>>(*job, first, end);
  else if (job->type == RK_Q5_K) multiply<Superblocks<Q5_K>>(*job, first, end);
  else multiply<Superblocks<Q6_K>>(*job, first, end);
}
