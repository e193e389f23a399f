// 16 rows of f32 results of one token, as four NEON registers.
#pragma once
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("arch=armv8.2-a+dotprod")  // gcc 12 has the intrinsics for this only, whatever the flags allow
#endif
#include <arm_neon.h>
#include <string.h>

#include "product.h"

namespace {

constexpr int QUARTERS = 4;     // registers that 16 rows take
constexpr int INTERLEAVED = 4;  // tokens under way at a time: their 16 sums and 4 weights fit the 32 registers

static inline float32x4_t halves_to_floats(const char *from) {
  return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16((const uint16_t *)from)));
}

static inline int8x16_t bytes_of(const char *from) { return vld1q_s8((const int8_t *)from); }

template <class T> static inline T read(const char *from) {
  T value;
  memcpy(&value, from, sizeof value);
  return value;
}

// Adds 16 k, which are four lines of weights, to the sums of COUNT tokens, whose activations are `x`. `dot` multiplies
// 4 k of 4 rows by 4 k of one token, LANE being which.
template <int COUNT, int LANE = 0>
static inline void add_16(const char *lines, const int8x16_t x[COUNT], int32x4_t sums[COUNT][QUARTERS]) {
  for (int r = 0; r < QUARTERS; r++) {
    const int8x16_t w = bytes_of(lines + LANE * LINE + r * 16);
    for (int t = 0; t < COUNT; t++) sums[t][r] = vdotq_laneq_s32(sums[t][r], w, x[t], LANE);
  }
  if constexpr (LANE < 3) add_16<COUNT, LANE + 1>(lines, x, sums);
}

// The results of T tokens.
template <int T> struct Results {
  float32x4_t of[T][QUARTERS];

  explicit Results(const Tile &tile) {
    for (int t = 0; t < T; t++)
      for (int r = 0; r < QUARTERS; r++)
        of[t][r] = tile.first ? vdupq_n_f32(0) : load(tile.out + t * tile.stride + r * 4, tile.rows - r * 4);
  }

  void store(const Tile &tile) const {
    const bool adds = tile.last && tile.residual != nullptr;
    for (int t = 0; t < T; t++)
      for (int r = 0; r < QUARTERS; r++) {
        float32x4_t v = of[t][r];
        const int rows = tile.rows - r * 4;
        if (adds) v = vaddq_f32(v, load(tile.residual + t * tile.residual_stride + r * 4, rows));
        store(tile.out + t * tile.stride + r * 4, v, rows);
      }
  }

 private:
  // The first `rows` of 4, all if there are more, none if there are less than one.
  static float32x4_t load(const float *from, int rows) {
    if (rows >= 4) return vld1q_f32(from);
    float few[4] = {};
    if (rows > 0) memcpy(few, from, rows * sizeof(float));
    return vld1q_f32(few);
  }

  static void store(float *to, float32x4_t v, int rows) {
    if (rows >= 4) return vst1q_f32(to, v);
    float few[4];
    vst1q_f32(few, v);
    if (rows > 0) memcpy(to, few, rows * sizeof(float));
  }
};

}  // namespace
