// The loops around a kernel: panels, chunks of k, tiles of tokens, groups of rows.
//
// A kernel is a class with `template <int T> static void tile(const Tile &)`, which multiplies one chunk of a group of
// 16 rows by a tile of T tokens and goes on with what `out` holds, unless the chunk is the first. So a row is summed
// block by block in the order of k, whatever the tiles are.
#pragma once
#include "../variant.h"
#include "activations.h"

namespace {

struct Tile {
  const char *weights;      // first unit
  const char *activations;  // first block
  int units;
  bool first, last;         // chunk of k
  int rows;                 // of the group; 16 but in the last group
  float *out;               // [T, 16]
  size_t stride;            // floats from one token to the next
  const float *residual;    // [T, 16] or NULL
  size_t residual_stride;
};

typedef void (*ComputeTile)(const Tile &);

template <class Kernel, int T = 1> ComputeTile tile_function(int64_t tokens) {
  if constexpr (T == TILE) return Kernel::template tile<TILE>;
  else return tokens == T ? Kernel::template tile<T> : tile_function<Kernel, T + 1>(tokens);
}

// One chunk of one panel by one tile of tokens.
template <class Kernel> void multiply_groups(const rk_product_job &job, const Packed &packed, Tile tile, int64_t group,
                                             int64_t token, int64_t tokens, int64_t unit) {
  const ComputeTile compute = tile_function<Kernel>(tokens);
  const int64_t end = least(group + PANEL_GROUPS, packed.groups);
  for (; group < end; group++) {
    const int64_t row = group * GROUP_ROWS;
    tile.weights = first_line(job.weights) + packed.at(group, unit);
    tile.rows = (int)least(GROUP_ROWS, job.rows - row);
    tile.out = job.out + token * job.rows + row;
    tile.residual = job.residual == nullptr ? nullptr : job.residual + token * job.residual_stride + row;
    compute(tile);
  }
}

// Panels [first, end).
template <class Kernel> void multiply(const rk_product_job &job, int64_t first, int64_t end) {
  const Packed packed(job.type, job.rows, job.k);
  const int kind = activation_kind(job.type);
  const size_t row_bytes = activation_row_bytes(kind, job.k);
  const size_t unit_bytes = row_bytes / packed.units;  // of a token
  Tile tile = {};
  tile.stride = job.rows;
  tile.residual_stride = job.residual_stride;
  for (int64_t group = first * PANEL_GROUPS; group < end * PANEL_GROUPS; group += PANEL_GROUPS)
    for (int64_t unit = 0; unit < packed.units; unit += packed.chunk_units)
      for (int64_t i = 0; i < tiles(job.n); i++) {
        const int64_t token = tile_start(job.n, i), tokens = tile_start(job.n, i + 1) - token;
        tile.units = (int)least(packed.chunk_units, packed.units - unit);
        tile.first = unit == 0;
        tile.last = unit + tile.units == packed.units;
        tile.activations = (const char *)job.activations + token * row_bytes + unit * unit_bytes * tokens;
        multiply_groups<Kernel>(job, packed, tile, group, token, tokens, unit);
      }
}

}  // namespace
