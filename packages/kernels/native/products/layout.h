// Where packed weights lie.
//
// 16 rows make a group, 8 groups a panel. Along k a group is cut into units (64 k, for types with a scale per 256:
// 256 k), and units into chunks of 1,024 k, so that what a chunk of a group and a tile of tokens need fits in a core's
// first-level cache. In memory: [panel][chunk][group][unit], one sequential stream.
//
// A unit interleaves its 16 rows by words of 4 bytes: a line of 64 bytes is 4 bytes of each row, one AVX-512 register,
// two AVX2 registers, one row of an AMX tile.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "../kernels.h"

namespace {

constexpr int GROUP_ROWS = 16, PANEL_GROUPS = 8, CHUNK_K = 1024, LINE = 64;

struct Geometry {
  int block_k, block_bytes;  // in GGUF
  int unit_k, unit_bytes;    // of 16 rows
};

// What a unit holds, in order:
// Q4_0: f16 d[2][16]; then for each of 2 blocks 4 lines of nibbles.
// Q4_1: f16 d[2][16], m[2][16]; then for each of 2 blocks 4 lines of nibbles.
// Q8_0: f16 d[2][16]; then for each of 2 blocks 8 lines of int8.
// Q4_K: f16 d[16], dmin[16]; 3 lines of scales; 32 lines of nibbles.
// Q5_K: f16 d[16], dmin[16]; 3 lines of scales; 8 lines of fifth bits; 32 lines of nibbles.
// Q6_K: f16 d[16], 32 bytes unused; 4 lines of int8 scales; 16 lines of upper bits; 32 lines of nibbles.
static inline Geometry geometry(int type) {
  switch (type) {
    case RK_Q4_0: return {32, 18, 64, 9 * LINE};
    case RK_Q4_1: return {32, 20, 64, 10 * LINE};
    case RK_Q8_0: return {32, 34, 64, 17 * LINE};
    case RK_Q4_K: return {256, 144, 256, 36 * LINE};
    case RK_Q5_K: return {256, 176, 256, 44 * LINE};
    case RK_Q6_K: return {256, 210, 256, 53 * LINE};
    default: return {0, 0, 0, 0};
  }
}

static inline int64_t parts(int64_t whole, int64_t part) { return (whole + part - 1) / part; }
static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// A packed matrix.
struct Packed {
  Geometry form;
  int64_t groups, units;
  int chunk_units;  // of a whole chunk

  Packed(int type, int64_t rows, int64_t k)
      : form(geometry(type)), groups(parts(rows, GROUP_ROWS)), units(parts(k, form.unit_k)),
        chunk_units(CHUNK_K / form.unit_k) {}

  size_t bytes() const { return (size_t)groups * units * form.unit_bytes; }

  // The byte where unit `unit` of group `group` begins.
  size_t at(int64_t group, int64_t unit) const {
    const int64_t panel = group / PANEL_GROUPS * PANEL_GROUPS, chunk = unit / chunk_units * chunk_units;
    const int64_t panel_groups = least(PANEL_GROUPS, groups - panel), chunk_length = least(chunk_units, units - chunk);
    return (panel * units + chunk * panel_groups + (group - panel) * chunk_length + unit - chunk) * form.unit_bytes;
  }
};

// Packed weights begin at the first multiple of 64 in their memory.
static inline char *first_line(const void *memory) {
  return (char *)(((uintptr_t)memory + LINE - 1) / LINE * LINE);
}

}  // namespace
