// Where quantized rows lie. n rows (tokens) are cut into equal tiles of at most 16, which a product takes at a time.
// A tile of T tokens holds for each block, of 32 or 256 k, one field after the other, each of all T tokens:
//
// RK_PER_32:  int8 q[T][32]; f32 d[T]; i32 offset[T], -8 * sum(q).
// RK_PER_256: int8 q[T][256]; f32 d[T]; i16 sums[T][8] of every 32 q; i16 pairs[T][16][2], -32 * the sums of every 16
//             q, those at k % 4 = 0, 1 and those at 2, 3; i32 eighths[T][32], -32 * the sums of every 8 q.
#pragma once
#include "layout.h"

namespace {

constexpr int TILE = 16;
constexpr int BLOCK_BYTES = 32 + 4 + 4;                             // of a token and 32 k
constexpr int SUPERBLOCK_BYTES = 256 + 4 + 8 * 2 + 16 * 4 + 32 * 4;  // of a token and 256 k

// Where the fields of a block of 256 begin: bytes times the tokens of the tile.
constexpr int D_AT = 256, SUMS_AT = 260, PAIRS_AT = 276, EIGHTHS_AT = 340;

// Fields of one token in a block of 256.
struct SuperblockFields {
  int8_t *q;
  float *d;
  int16_t *sums;
  int32_t *pairs, *eighths;
};

static inline int activation_kind(int type) {
  const int block_k = geometry(type).block_k;
  return block_k == 0 ? -1 : block_k == 32 ? RK_PER_32 : RK_PER_256;
}

// Blocks of 32 are padded with zeros to the units of 64 that weights come in.
static inline int64_t activation_blocks(int kind, int64_t k) {
  return kind == RK_PER_32 ? parts(k, 64) * 2 : parts(k, 256);
}

static inline size_t activation_row_bytes(int kind, int64_t k) {
  return activation_blocks(kind, k) * (kind == RK_PER_32 ? BLOCK_BYTES : SUPERBLOCK_BYTES);
}

static inline int64_t tiles(int64_t n) { return parts(n, TILE); }
static inline int64_t tile_start(int64_t n, int64_t tile) { return n * tile / tiles(n); }

// The tile of row `row`.
static inline int64_t tile_of(int64_t n, int64_t row) {
  int64_t tile = row * tiles(n) / n;
  while (tile_start(n, tile + 1) <= row) tile++;
  return tile;
}

}  // namespace
