// Products with weights that have a scale per 32 k, on AVX-512 VNNI.
//
// `dpbusd` adds 4 products of unsigned weights and signed activations to each int32. So weights are made unsigned (a
// nibble is q + 8, an int8 is q + 128), and sums start at what that adds too much, which comes from the activations'
// field `offset`, -8 * sum(x). One register is 16 rows; every broadcast of 4 activations meets all of them. Tokens are
// interleaved by four, for a sum waits 5 cycles for the one before.
#include "rows-avx512.h"

namespace {

constexpr int INTERLEAVED = 4;
constexpr int AHEAD = 2048;  // bytes from what is multiplied to what is prefetched

// A block of 16 rows and 32 k: w[i] has k 4i to 4i + 3.
struct Block {
  __m512i w[8];
  __m512 d, m;
};

static inline void load_nibbles(const char *lines, Block &block) {
  const __m512i mask = _mm512_set1_epi8(15);
  for (int i = 0; i < 4; i++) {
    const __m512i line = load_line(lines + i * LINE);
    _mm_prefetch(lines + i * LINE + AHEAD, _MM_HINT_T0);
    block.w[i] = _mm512_and_si512(line, mask);
    block.w[i + 4] = _mm512_and_si512(_mm512_srli_epi16(line, 4), mask);
  }
}

struct Q4_0 {
  static constexpr int UNIT = 9 * LINE;
  static constexpr bool HAS_MINIMUM = false;

  static void load(const char *unit, int b, Block &block) {
    block.d = halves_to_floats(unit + b * 32);
    load_nibbles(unit + LINE + b * 4 * LINE, block);
  }
  static __m512i start(const char *offset) { return broadcast_4_bytes(offset); }
};

struct Q4_1 {
  static constexpr int UNIT = 10 * LINE;
  static constexpr bool HAS_MINIMUM = true;

  static void load(const char *unit, int b, Block &block) {
    block.d = halves_to_floats(unit + b * 32);
    block.m = halves_to_floats(unit + LINE + b * 32);
    load_nibbles(unit + 2 * LINE + b * 4 * LINE, block);
  }
  static __m512i start(const char *) { return _mm512_setzero_si512(); }
};

struct Q8_0 {
  static constexpr int UNIT = 17 * LINE;
  static constexpr bool HAS_MINIMUM = false;

  static void load(const char *unit, int b, Block &block) {
    const char *lines = unit + LINE + b * 8 * LINE;
    block.d = halves_to_floats(unit + b * 32);
    for (int i = 0; i < 8; i++) {
      _mm_prefetch(lines + i * LINE + 2 * AHEAD, _MM_HINT_T0);
      block.w[i] = _mm512_xor_si512(load_line(lines + i * LINE), _mm512_set1_epi8(-128));
    }
  }
  static __m512i start(const char *offset) { return _mm512_slli_epi32(broadcast_4_bytes(offset), 4); }
};

// m * sum(x), m being what a weight of nibble 0 is.
static inline __m512 add_minimum(const Block &block, const char *offset, __m512 dx, __m512 sum) {
  const __m512 x = _mm512_mul_ps(_mm512_cvtepi32_ps(broadcast_4_bytes(offset)), _mm512_set1_ps(-0.125f));
  return _mm512_fmadd_ps(block.m, _mm512_mul_ps(x, dx), sum);
}

// Adds a block to tokens [FIRST, FIRST + INTERLEAVED) of T, and goes on with the tokens after them.
template <class Type, int T, int FIRST = 0>
static inline void multiply_block(const Block &block, const char *x, __m512 sums[T]) {
  constexpr int COUNT = T - FIRST < INTERLEAVED ? T - FIRST : INTERLEAVED;
  const char *q = x + FIRST * 32, *d = x + T * 32 + FIRST * 4, *offset = x + T * 36 + FIRST * 4;
  __m512i acc[COUNT];
#pragma GCC unroll 4
  for (int t = 0; t < COUNT; t++) acc[t] = Type::start(offset + t * 4);
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++)
#pragma GCC unroll 4
    for (int t = 0; t < COUNT; t++)
      acc[t] = _mm512_dpbusd_epi32(acc[t], block.w[i], broadcast_4_bytes(q + t * 32 + i * 4));
#pragma GCC unroll 4
  for (int t = 0; t < COUNT; t++) {
    const __m512 dx = broadcast_float(d + t * 4);
    __m512 &sum = sums[FIRST + t];
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[t]), _mm512_mul_ps(block.d, dx), sum);
    if constexpr (Type::HAS_MINIMUM) sum = add_minimum(block, offset + t * 4, dx, sum);
  }
  if constexpr (FIRST + COUNT < T) multiply_block<Type, T, FIRST + COUNT>(block, x, sums);
}

template <class Type> struct Blocks {
  template <int T> static void tile(const Tile &tile) {
    __m512 sums[T];
    load_sums<T>(tile, sums);
    const char *unit = tile.weights, *x = tile.activations;
    for (int u = 0; u < tile.units; u++, unit += Type::UNIT)
#pragma GCC unroll 2
      for (int b = 0; b < 2; b++, x += T * BLOCK_BYTES) {
        Block block;
        Type::load(unit, b, block);
        multiply_block<Type, T>(block, x, sums);
      }
    store_sums<T>(tile, sums);
  }
};

}  // namespace

void rk_blocks_avx512_vnni(const rk_product_job *job, int64_t first, int64_t end) {
  if (job->type == RK_Q4_0) multiply<Blocks<Q4_0>>(*job, first, end);
  else if (job->type == RK_Q4_1) multiply<Blocks<Q4_1>>(*job, first, end);
  else multiply<Blocks<Q8_0>>(*job, first, end);
}
