// 16 rows and 256 k of a type with a scale per 256, unpacked from the layout of packed weights into bytes. AVX2 does it
// in every variant: it happens once for a tile of up to 16 tokens.
#pragma once
#include <immintrin.h>

#include "layout.h"

namespace {

// Sub-blocks of 16 k (a pair of them has one scale in Q4_K and Q5_K).
constexpr int SUB_BLOCKS = 16, SUB_LINES = 4;

struct Superblock {
  alignas(64) char lines[64][LINE];     // line i: k 4i to 4i + 3 of 16 rows, unsigned
  alignas(64) int16_t scales[16][32];   // of each sub-block: twice for each row
  alignas(64) int16_t minimums[4][32];  // of each 64 k: for each row those of the first and the second 32
  const char *d, *d_minimum;            // f16 [16]
};

static inline __m256i load_half(const char *line, int half) {
  return _mm256_loadu_si256((const __m256i *)(line + half * 32));
}
static inline void store_half(void *line, int half, __m256i v) {
  _mm256_storeu_si256((__m256i *)((char *)line + half * 32), v);
}

// The bits of `mask` in each byte, after a shift to the right.
template <int SHIFT> static inline __m256i bits(__m256i v, char mask) {
  return _mm256_and_si256(_mm256_srli_epi16(v, SHIFT), _mm256_set1_epi8(mask));
}

// From each 32 bits bytes A and B (-1: zero) as the two int16, their high bytes zero, or with HIGH their low ones.
template <int A, int B, bool HIGH = false> static inline __m256i two_bytes(__m256i words) {
  const int a = A < 0 ? 0x80 : A, b = B < 0 ? 0x80 : B;
  const int lane = HIGH ? 0x00800080 | a << 8 | b << 24 : (int)0x80008000 | a | b << 16;
  const __m256i by_lane =
      _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0c0c0c0c, 0, 0x04040404, 0x08080808, 0x0c0c0c0c);
  return _mm256_shuffle_epi8(words, _mm256_add_epi8(_mm256_set1_epi32(lane), by_lane));
}

// Scales of 4 sub-blocks of 32 k, of which `words` has a byte each, from sub-block of 16 `at` on.
static inline void store_scales(Superblock &to, int at, int half, __m256i words) {
  const __m256i scales[] = {two_bytes<0, 0>(words), two_bytes<1, 1>(words), two_bytes<2, 2>(words),
                            two_bytes<3, 3>(words)};
  for (int i = 0; i < 8; i++) store_half(to.scales[at + i], half, scales[i / 2]);
}

// What units of Q4_K and Q5_K begin with: d and d_minimum, then 6-bit scales and minimums in lines of bytes 0 to 3, 4
// to 7, 8 to 11.
static inline void unpack_scales(const char *unit, Superblock &to) {
  to.d = unit;
  to.d_minimum = unit + 32;
  const char *lines = unit + LINE;
  for (int h = 0; h < 2; h++) {
    const __m256i a = load_half(lines, h), b = load_half(lines + LINE, h), c = load_half(lines + 2 * LINE, h);
    store_scales(to, 0, h, bits<0>(a, 0x3f));
    store_scales(to, 8, h, _mm256_or_si256(bits<0>(c, 0x0f), bits<2>(a, 0x30)));
    const __m256i low = bits<0>(b, 0x3f), high = _mm256_or_si256(bits<4>(c, 0x0f), bits<2>(b, 0x30));
    store_half(to.minimums[0], h, two_bytes<0, 1>(low));
    store_half(to.minimums[1], h, two_bytes<2, 3>(low));
    store_half(to.minimums[2], h, two_bytes<0, 1>(high));
    store_half(to.minimums[3], h, two_bytes<2, 3>(high));
  }
}

struct Q4_K {
  static constexpr int UNIT = 36 * LINE, NIBBLES = 4 * LINE, LARGEST = 15;
  static constexpr bool HAS_MINIMUM = true;

  static void unpack(const char *unit, Superblock &to) {
    unpack_scales(unit, to);
    for (int i = 0; i < 32; i++)
      for (int h = 0; h < 2; h++) {
        const __m256i line = load_half(unit + NIBBLES + i * LINE, h);
        const int at = i / 8 * 16 + i % 8;  // 8 lines have the low nibbles of 32 k and the high ones of the next 32
        store_half(to.lines[at], h, bits<0>(line, 15));
        store_half(to.lines[at + 8], h, bits<4>(line, 15));
      }
  }
};

struct Q5_K {
  static constexpr int UNIT = 44 * LINE, LARGEST = 31;
  static constexpr bool HAS_MINIMUM = true;

  static void unpack(const char *unit, Superblock &to) {
    unpack_scales(unit, to);
    for (int i = 0; i < 8; i++)
      for (int h = 0; h < 2; h++) {
        const __m256i fifth = load_half(unit + (4 + i) * LINE, h);  // bit j belongs to the j-th 32 k
        unpack_64<0>(unit, to, i, h, _mm256_slli_epi16(fifth, 4), _mm256_slli_epi16(fifth, 3));
        unpack_64<1>(unit, to, i, h, _mm256_slli_epi16(fifth, 2), _mm256_slli_epi16(fifth, 1));
        unpack_64<2>(unit, to, i, h, fifth, _mm256_srli_epi16(fifth, 1));
        unpack_64<3>(unit, to, i, h, _mm256_srli_epi16(fifth, 2), _mm256_srli_epi16(fifth, 3));
      }
  }

 private:
  // Line i of 64 k: `low` and `high` have the fifth bits of its nibbles at 0x10.
  template <int PART> static void unpack_64(const char *unit, Superblock &to, int i, int h, __m256i low, __m256i high) {
    const __m256i line = load_half(unit + (12 + PART * 8 + i) * LINE, h);
    store_half(to.lines[PART * 16 + i], h, _mm256_or_si256(bits<0>(line, 15), bits<0>(low, 16)));
    store_half(to.lines[PART * 16 + 8 + i], h, _mm256_or_si256(bits<4>(line, 15), bits<0>(high, 16)));
  }
};

struct Q6_K {
  static constexpr int UNIT = 53 * LINE, LARGEST = 63;
  static constexpr bool HAS_MINIMUM = false;  // weights are q - 32

  static void unpack(const char *unit, Superblock &to) {
    to.d = unit;
    for (int i = 0; i < 4; i++)
      for (int h = 0; h < 2; h++) {
        const __m256i words = load_half(unit + (1 + i) * LINE, h);
        store_half(to.scales[i * 4], h, _mm256_srai_epi16(two_bytes<0, 0, true>(words), 8));
        store_half(to.scales[i * 4 + 1], h, _mm256_srai_epi16(two_bytes<1, 1, true>(words), 8));
        store_half(to.scales[i * 4 + 2], h, _mm256_srai_epi16(two_bytes<2, 2, true>(words), 8));
        store_half(to.scales[i * 4 + 3], h, _mm256_srai_epi16(two_bytes<3, 3, true>(words), 8));
      }
    for (int i = 0; i < 16; i++)
      for (int h = 0; h < 2; h++) unpack_upper(unit, to, i, h);
  }

 private:
  // Line i of upper bits: 2 bits each of 4 k that are 32 apart, i / 8 being the half of the 256 k.
  static void unpack_upper(const char *unit, Superblock &to, int i, int h) {
    const __m256i upper = load_half(unit + (5 + i) * LINE, h);
    const char *lower = unit + (21 + i / 8 * 16 + i % 8) * LINE;
    const __m256i a = load_half(lower, h), b = load_half(lower + 8 * LINE, h);
    char(*lines)[LINE] = to.lines + i / 8 * 32 + i % 8;
    store_half(lines[0], h, _mm256_or_si256(bits<0>(a, 15), bits<0>(_mm256_slli_epi16(upper, 4), 0x30)));
    store_half(lines[8], h, _mm256_or_si256(bits<0>(b, 15), bits<0>(_mm256_slli_epi16(upper, 2), 0x30)));
    store_half(lines[16], h, _mm256_or_si256(bits<4>(a, 15), bits<0>(upper, 0x30)));
    store_half(lines[24], h, _mm256_or_si256(bits<4>(b, 15), bits<2>(upper, 0x30)));
  }
};

// Asks for one of 16 parts of the next unit, and at its end for some lines of the one after. An Intel core has 16 lines
// under way at most: when it was asked for a whole unit at once, products waited and took 1.1 to 1.3 times as long.
template <class Type> static inline void prefetch_part(const char *unit, int part) {
  constexpr int LINES = (Type::UNIT / LINE + SUB_BLOCKS - 1) / SUB_BLOCKS;
  for (int i = 0; i < LINES; i++) _mm_prefetch(unit + Type::UNIT + (part * LINES + i) * LINE, _MM_HINT_T0);
}

}  // namespace
