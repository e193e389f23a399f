// Products with weights that have a scale per 32 k, on NEON with its dot products.
//
// `dot` adds 4 products of signed bytes to each int32, so nibbles become q - 8 and no sum needs a correction. A line of
// weights is four registers; the 4 activations that they meet are a lane of the token's register.
#include "rows-neon.h"

namespace {

// A block of 16 rows and 32 k.
struct Block {
  alignas(16) char room[8][LINE];  // for what must be unpacked
  const char *lines;               // 8 lines of int8
  float32x4_t d[QUARTERS], m[QUARTERS];
};

static inline void load_scales(const char *halves, float32x4_t to[QUARTERS]) {
  for (int r = 0; r < QUARTERS; r++) to[r] = halves_to_floats(halves + r * 8);
}

// Nibbles of four lines as 8 lines of int8, less `zero`.
static inline void unpack_nibbles(const char *lines, int zero, Block &block) {
  const int8x16_t less = vdupq_n_s8((int8_t)zero);
  for (int at = 0; at < 4 * LINE; at += 16) {
    const uint8x16_t both = vld1q_u8((const uint8_t *)lines + at);
    const int8x16_t low = vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15)));
    const int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(both, 4));
    vst1q_s8((int8_t *)block.room[0] + at, vsubq_s8(low, less));
    vst1q_s8((int8_t *)block.room[4] + at, vsubq_s8(high, less));
  }
  block.lines = block.room[0];
}

struct Q4_0 {
  static constexpr int UNIT = 9 * LINE;
  static constexpr bool HAS_MINIMUM = false;

  static void load(const char *unit, int b, Block &block) {
    load_scales(unit + b * 32, block.d);
    unpack_nibbles(unit + LINE + b * 4 * LINE, 8, block);
  }
};

struct Q4_1 {
  static constexpr int UNIT = 10 * LINE;
  static constexpr bool HAS_MINIMUM = true;

  static void load(const char *unit, int b, Block &block) {
    load_scales(unit + b * 32, block.d);
    load_scales(unit + LINE + b * 32, block.m);
    unpack_nibbles(unit + 2 * LINE + b * 4 * LINE, 0, block);
  }
};

struct Q8_0 {
  static constexpr int UNIT = 17 * LINE;
  static constexpr bool HAS_MINIMUM = false;

  static void load(const char *unit, int b, Block &block) {
    load_scales(unit + b * 32, block.d);
    block.lines = unit + LINE + b * 8 * LINE;
  }
};

// Adds one token's integer sums of a block to its results: of tile token `t` of T.
template <class Type, int T>
static inline void add_sums(const Block &block, const char *x, int t, const int32x4_t sums[QUARTERS],
                            Results<T> &results) {
  const float dx = read<float>(x + T * 32 + t * 4);
  const float total = (float)read<int32_t>(x + T * 36 + t * 4) * -0.125f * dx;  // sum(x) for the minimum
  for (int r = 0; r < QUARTERS; r++) {
    float32x4_t &to = results.of[t][r];
    to = vfmaq_f32(to, vcvtq_f32_s32(sums[r]), vmulq_n_f32(block.d[r], dx));
    if (Type::HAS_MINIMUM) to = vfmaq_n_f32(to, block.m[r], total);
  }
}

// Adds a block to tokens [FIRST, FIRST + INTERLEAVED) of T, and goes on with the tokens after them.
template <class Type, int T, int FIRST = 0>
static inline void multiply_block(const Block &block, const char *x, Results<T> &results) {
  constexpr int COUNT = T - FIRST < INTERLEAVED ? T - FIRST : INTERLEAVED;
  int32x4_t sums[COUNT][QUARTERS] = {};
  for (int half = 0; half < 2; half++) {
    int8x16_t q[COUNT];
    for (int t = 0; t < COUNT; t++) q[t] = bytes_of(x + (FIRST + t) * 32 + half * 16);
    add_16<COUNT>(block.lines + half * 4 * LINE, q, sums);
  }
  for (int t = 0; t < COUNT; t++) add_sums<Type, T>(block, x, FIRST + t, sums[t], results);
  if constexpr (FIRST + COUNT < T) multiply_block<Type, T, FIRST + COUNT>(block, x, results);
}

template <class Type> struct Blocks {
  template <int T> static void tile(const Tile &tile) {
    Results<T> results(tile);
    const char *unit = tile.weights, *x = tile.activations;
    Block block;
    for (int u = 0; u < tile.units; u++, unit += Type::UNIT)
      for (int b = 0; b < 2; b++, x += T * BLOCK_BYTES) {
        Type::load(unit, b, block);
        multiply_block<Type, T>(block, x, results);
      }
    results.store(tile);
  }
};

}  // namespace

void rk_blocks_neon_dotprod(const rk_product_job *job, int64_t first, int64_t end) {
  if (job->type == RK_Q4_0) multiply<Blocks<Q4_0>>(*job, first, end);
  else if (job->type == RK_Q4_1) multiply<Blocks<Q4_1>>(*job, first, end);
  else multiply<Blocks<Q8_0>>(*job, first, end);
}
