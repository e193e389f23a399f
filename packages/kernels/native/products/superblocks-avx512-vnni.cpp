// Products with weights that have a scale per 256 k and smaller ones per 32 or 16 (Q4_K, Q5_K, Q6_K), on AVX-512 VNNI.
//
// `dpbusd` adds 4 k to each int32. After 16 k (Q5_K, Q6_K: 8 k) a sum still fits in an int16, at most 15 * 128 * 16 or
// 31 * 128 * 8 or, for Q6_K, whose weights are q - 32, 32 * 128 * 8 - 1; so `dpwssd` can multiply it by the sub-block's
// scale and add it to 256 k in one step, exactly. Then comes one step in f32.
#include "superblock-avx512.h"

namespace {

constexpr int INTERLEAVED = 4;  // tokens

// Adds LINES lines of weights from line `line` on to tokens [FIRST, FIRST + INTERLEAVED), and goes on with those after.
template <class Type, int T, int LINES, int FIRST = 0>
static inline void add_lines(const __m512i w[LINES], __m512i scale, int line, const char *block, __m512i sums[T]) {
  constexpr int COUNT = T - FIRST < INTERLEAVED ? T - FIRST : INTERLEAVED;
  const char *q = block + FIRST * 256 + line * 4, *eighths = block + T * EIGHTHS_AT + FIRST * 128 + line * 2;
  __m512i part[COUNT];
#pragma GCC unroll 4
  for (int t = 0; t < COUNT; t++)
    part[t] = Type::HAS_MINIMUM ? _mm512_setzero_si512() : broadcast_4_bytes(eighths + t * 128);
#pragma GCC unroll 4
  for (int i = 0; i < LINES; i++)
#pragma GCC unroll 4
    for (int t = 0; t < COUNT; t++)
      part[t] = _mm512_dpbusd_epi32(part[t], w[i], broadcast_4_bytes(q + t * 256 + i * 4));
#pragma GCC unroll 4
  for (int t = 0; t < COUNT; t++) sums[FIRST + t] = _mm512_dpwssd_epi32(sums[FIRST + t], part[t], scale);
  if constexpr (FIRST + COUNT < T) add_lines<Type, T, LINES, FIRST + COUNT>(w, scale, line, block, sums);
}

template <class Type> struct Superblocks {
  static constexpr int LINES = Type::LARGEST < 16 ? 4 : 2;  // whose sums fit in an int16

  template <int T> static void tile(const Tile &tile) {
    __m512 results[T];
    load_sums<T>(tile, results);
    const char *unit = tile.weights, *block = tile.activations;
    Superblock w;
    for (int u = 0; u < tile.units; u++, unit += Type::UNIT, block += T * SUPERBLOCK_BYTES) {
      Type::unpack(unit, w);
      multiply_superblock<T>(unit, w, block, results);
    }
    store_sums<T>(tile, results);
  }

  template <int T>
  static void multiply_superblock(const char *unit, const Superblock &w, const char *block, __m512 results[T]) {
    __m512i sums[T];
    for (int t = 0; t < T; t++) sums[t] = _mm512_setzero_si512();
    for (int s = 0; s < SUB_BLOCKS; s++) {
      prefetch_part<Type>(unit, s);
      const __m512i scale = _mm512_and_si512(load_line((const char *)w.scales[s]), _mm512_set1_epi32(0xffff));
#pragma GCC unroll 2
      for (int line = s * SUB_LINES; line < (s + 1) * SUB_LINES; line += LINES) {
        __m512i bytes[LINES];
        for (int i = 0; i < LINES; i++) bytes[i] = load_line(w.lines[line + i]);
        add_lines<Type, T, LINES>(bytes, scale, line, block, sums);
      }
    }
    add_scaled<T>(w, block, sums, results);
    if constexpr (Type::HAS_MINIMUM) subtract_minimums<T>(w, block, results);
  }
};

}  // namespace

void rk_superblocks_avx512_vnni(const rk_product_job *job, int64_t first, int64_t end) {
  if (job->type == RK_Q4_K) multiply<Superblocks<Q4_K>>(*job, first, end);
  else if (job->type == RK_Q5_K) multiply<Superblocks<Q5_K>>(*job, first, end);
  else multiply<Superblocks<Q6_K>>(*job, first, end);
}
