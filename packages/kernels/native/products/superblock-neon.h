// 16 rows and 256 k of a type with a scale per 256, unpacked from the layout of packed weights into signed bytes: once
// for a tile of up to 16 tokens.
#pragma once
#include "rows-neon.h"

namespace {

// Sub-blocks of 16 k (a pair of them has one scale in Q4_K and Q5_K).
constexpr int SUB_BLOCKS = 16, SUB_LINES = 4;

struct Superblock {
  alignas(16) char lines[64][LINE];                 // line i: k 4i to 4i + 3 of 16 rows
  alignas(16) int8_t scales[SUB_BLOCKS][16];        // of each sub-block
  alignas(16) int8_t minimums[SUB_BLOCKS / 2][16];  // of each 32 k
  const char *d, *d_minimum;                        // f16 [16]
};

static inline uint8x16_t quarter(const char *line, int r) { return vld1q_u8((const uint8_t *)line + r * 16); }
static inline void store_quarter(char *line, int r, uint8x16_t v) { vst1q_u8((uint8_t *)line + r * 16, v); }
static inline void store_rows(int8_t *to, uint8x16_t v) { vst1q_u8((uint8_t *)to, v); }

static inline uint8x16_t nibbles(uint8x16_t v) { return vandq_u8(v, vdupq_n_u8(15)); }

// Bits `mask` of v, after a shift to the left, or by a negative number to the right, beside `other`.
template <int SHIFT> static inline uint8x16_t with_bits(uint8x16_t other, uint8x16_t v, uint8_t mask) {
  return vorrq_u8(other, vandq_u8(vshlq_u8(v, vdupq_n_s8(SHIFT)), vdupq_n_u8(mask)));
}

// What units of Q4_K and Q5_K begin with: d and d_minimum, then 6-bit scales and minimums in lines of bytes 0 to 3, 4
// to 7, 8 to 11 of every row.
static inline void unpack_scales(const char *unit, Superblock &to) {
  to.d = unit;
  to.d_minimum = unit + 32;
  const char *lines = unit + LINE;
  const uint8x16x4_t a = vld4q_u8((const uint8_t *)lines), b = vld4q_u8((const uint8_t *)lines + LINE);
  const uint8x16x4_t c = vld4q_u8((const uint8_t *)lines + 2 * LINE);
  const uint8x16_t six_bits = vdupq_n_u8(63);
  for (int i = 0; i < 4; i++) {
    const uint8x16_t low = vandq_u8(a.val[i], six_bits), high = with_bits<-2>(nibbles(c.val[i]), a.val[i], 0x30);
    for (int twice = 0; twice < 2; twice++) {
      store_rows(to.scales[i * 2 + twice], low);
      store_rows(to.scales[i * 2 + 8 + twice], high);
    }
    store_rows(to.minimums[i], vandq_u8(b.val[i], six_bits));
    store_rows(to.minimums[i + 4], with_bits<-2>(vshrq_n_u8(c.val[i], 4), b.val[i], 0x30));
  }
}

struct Q4_K {
  static constexpr int UNIT = 36 * LINE;
  static constexpr bool HAS_MINIMUM = true;

  static void unpack(const char *unit, Superblock &to) {
    unpack_scales(unit, to);
    for (int i = 0; i < 32; i++)
      for (int r = 0; r < QUARTERS; r++) {
        const uint8x16_t both = quarter(unit + (4 + i) * LINE, r);
        const int at = i / 8 * 16 + i % 8;  // 8 lines have the low nibbles of 32 k and the high ones of the next 32
        store_quarter(to.lines[at], r, nibbles(both));
        store_quarter(to.lines[at + 8], r, vshrq_n_u8(both, 4));
      }
  }
};

struct Q5_K {
  static constexpr int UNIT = 44 * LINE;
  static constexpr bool HAS_MINIMUM = true;

  static void unpack(const char *unit, Superblock &to) {
    unpack_scales(unit, to);
    for (int i = 0; i < 8; i++)
      for (int r = 0; r < QUARTERS; r++) {
        const uint8x16_t fifth = quarter(unit + (4 + i) * LINE, r);  // bit j belongs to the j-th 32 k
        unpack_64<0>(unit, to, i, r, fifth);
        unpack_64<1>(unit, to, i, r, fifth);
        unpack_64<2>(unit, to, i, r, fifth);
        unpack_64<3>(unit, to, i, r, fifth);
      }
  }

 private:
  template <int PART> static void unpack_64(const char *unit, Superblock &to, int i, int r, uint8x16_t fifth) {
    const uint8x16_t both = quarter(unit + (12 + PART * 8 + i) * LINE, r);
    store_quarter(to.lines[PART * 16 + i], r, with_bits<4 - PART * 2>(nibbles(both), fifth, 16));
    store_quarter(to.lines[PART * 16 + 8 + i], r, with_bits<3 - PART * 2>(vshrq_n_u8(both, 4), fifth, 16));
  }
};

struct Q6_K {
  static constexpr int UNIT = 53 * LINE;
  static constexpr bool HAS_MINIMUM = false;  // weights are q - 32

  static void unpack(const char *unit, Superblock &to) {
    to.d = unit;
    for (int i = 0; i < 4; i++) {
      const uint8x16x4_t four = vld4q_u8((const uint8_t *)unit + (1 + i) * LINE);
      for (int j = 0; j < 4; j++) store_rows(to.scales[i * 4 + j], four.val[j]);
    }
    for (int i = 0; i < 16; i++)
      for (int r = 0; r < QUARTERS; r++) unpack_upper(unit, to, i, r);
  }

 private:
  // Line i of upper bits: 2 bits each of 4 k that are 32 apart, i / 8 being the half of the 256 k.
  static void unpack_upper(const char *unit, Superblock &to, int i, int r) {
    const uint8x16_t upper = quarter(unit + (5 + i) * LINE, r);
    const char *lower = unit + (21 + i / 8 * 16 + i % 8) * LINE;
    const uint8x16_t a = quarter(lower, r), b = quarter(lower + 8 * LINE, r);
    char(*lines)[LINE] = to.lines + i / 8 * 32 + i % 8;
    store_less_32(lines[0], r, with_bits<4>(nibbles(a), upper, 0x30));
    store_less_32(lines[8], r, with_bits<2>(nibbles(b), upper, 0x30));
    store_less_32(lines[16], r, with_bits<0>(vshrq_n_u8(a, 4), upper, 0x30));
    store_less_32(lines[24], r, with_bits<-2>(vshrq_n_u8(b, 4), upper, 0x30));
  }

  static void store_less_32(char *line, int r, uint8x16_t v) { store_quarter(line, r, vsubq_u8(v, vdupq_n_u8(32))); }
};

}  // namespace
