// Tile registers of AMX, configured for products of up to 16 tokens with 16 rows of weights and 32 k.
//
// One tile instruction multiplies the activations of T tokens, A = int8 [T, 32], by 8 lines of weights, B, into C =
// int32 [T, 16]. C goes through memory to AVX-512, which does what depends on scales. What was just stored can't be
// read at once, so several products are under way.
#pragma once
#include "rows-avx512.h"

namespace {

// gcc 12 doesn't know that tile instructions read memory.
static inline void fence() { __asm__ volatile("" ::: "memory"); }

// What `ldtilecfg` reads: of each tile register its rows and the bytes of a row.
struct alignas(64) TileConfig {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};

// Keeps the configuration of this thread, on which ggml's own use of AMX relies, and brings it back.
class KeepTiles {
 public:
  KeepTiles() {
    _tile_storeconfig(&kept_);
    fence();
  }
  ~KeepTiles() {
    fence();
    _tile_loadconfig(&kept_);
  }

 private:
  TileConfig kept_ = {};
};

// Tile registers 0 and 1 are C, 2 and 3 A, 4 and 5 B.
static inline void configure(int tokens) {
  TileConfig config = {};
  config.palette = 1;
  for (int i = 0; i < 2; i++) {
    config.rows[i] = config.rows[2 + i] = (uint8_t)tokens;
    config.rows[4 + i] = 8;
    config.row_bytes[i] = config.row_bytes[4 + i] = LINE;
    config.row_bytes[2 + i] = 32;
  }
  fence();
  _tile_loadconfig(&config);
}

}  // namespace
