// Products with weights that have a scale per 32 k, on AMX, for tiles of 12 and more tokens; smaller ones are left to
// AVX-512 VNNI.
//
// Three units are under way: the bytes of one are unpacked while those of the unit before are multiplied and the
// products of the one before that are added, by the step in f32 that every variant takes.
#include "tiles-amx.h"

namespace {

constexpr int FEWEST = 12;

constexpr int AHEAD = 2048;  // bytes from what is multiplied to what is prefetched

// The weights of both blocks of a unit, 8 lines of signed bytes each.
struct Lines {
  const char *of[2];
  alignas(64) char unpacked[2][8][LINE];
};

// Nibbles of four lines as 8 lines of int8, less `zero`.
static inline void unpack_nibbles(const char *lines, char zero, char (*to)[LINE]) {
  const __m512i mask = _mm512_set1_epi8(15), subtracted = _mm512_set1_epi8(zero);
  for (int i = 0; i < 4; i++) {
    const __m512i line = load_line(lines + i * LINE);
    _mm_prefetch(lines + i * LINE + AHEAD, _MM_HINT_T0);
    _mm512_store_si512(to[i], _mm512_sub_epi8(_mm512_and_si512(line, mask), subtracted));
    _mm512_store_si512(to[i + 4], _mm512_sub_epi8(_mm512_and_si512(_mm512_srli_epi16(line, 4), mask), subtracted));
  }
}

static inline void unpack_unit(const char *lines, char zero, Lines &to) {
  for (int b = 0; b < 2; b++) {
    unpack_nibbles(lines + b * 4 * LINE, zero, to.unpacked[b]);
    to.of[b] = to.unpacked[b][0];
  }
}

// The types' units. `unpack` finds or makes the lines of a unit.
struct Q4_0 {
  static constexpr int UNIT = 9 * LINE;
  static constexpr bool HAS_MINIMUM = false;
  static void unpack(const char *unit, Lines &lines) { unpack_unit(unit + LINE, 8, lines); }
};

struct Q4_1 {
  static constexpr int UNIT = 10 * LINE;
  static constexpr bool HAS_MINIMUM = true;
  static void unpack(const char *unit, Lines &lines) { unpack_unit(unit + 2 * LINE, 0, lines); }
};

struct Q8_0 {
  static constexpr int UNIT = 17 * LINE;
  static constexpr bool HAS_MINIMUM = false;
  static void unpack(const char *unit, Lines &lines) {
    for (int i = 0; i < 16; i++) _mm_prefetch(unit + (1 + i) * LINE + 2 * AHEAD, _MM_HINT_T0);
    for (int b = 0; b < 2; b++) lines.of[b] = unit + LINE + b * 8 * LINE;
  }
};

struct Products {
  alignas(64) int32_t of[2][TILE][16];
};

// The products of both blocks of a unit.
template <int T> static inline void multiply_unit(const Lines &lines, const char *x, Products &products) {
  fence();
  _tile_zero(0);
  _tile_zero(1);
  _tile_loadd(4, lines.of[0], LINE);
  _tile_loadd(2, x, 32);
  _tile_dpbssd(0, 2, 4);
  _tile_loadd(5, lines.of[1], LINE);
  _tile_loadd(3, x + T * BLOCK_BYTES, 32);
  _tile_dpbssd(1, 3, 5);
  _tile_stored(0, products.of[0], LINE);
  _tile_stored(1, products.of[1], LINE);
  fence();
}

// Adds one block's products to the results.
template <class Type, int T>
static inline void add_block(const char *unit, int b, const char *x, const Products &products, __m512 sums[T]) {
  const __m512 d = halves_to_floats(unit + b * 32);
#pragma GCC unroll 16
  for (int t = 0; t < T; t++) {
    const __m512 dx = broadcast_float(x + T * 32 + t * 4);
    const __m512 sum = _mm512_cvtepi32_ps(_mm512_load_si512(products.of[b][t]));
    sums[t] = _mm512_fmadd_ps(sum, _mm512_mul_ps(d, dx), sums[t]);
    if constexpr (Type::HAS_MINIMUM) {
      const __m512i offset = broadcast_4_bytes(x + T * 36 + t * 4);
      const __m512 total = _mm512_mul_ps(_mm512_cvtepi32_ps(offset), _mm512_set1_ps(-0.125f));
      sums[t] = _mm512_fmadd_ps(halves_to_floats(unit + LINE + b * 32), _mm512_mul_ps(total, dx), sums[t]);
    }
  }
}

template <class Type> struct Blocks {
  template <int T> static void tile(const Tile &tile) {
    if constexpr (T >= FEWEST) {
      constexpr int UNIT_ACTIVATIONS = 2 * T * BLOCK_BYTES;
      configure(T);
      __m512 sums[T];
      load_sums<T>(tile, sums);
      const auto unit = [&](int u) { return tile.weights + u * Type::UNIT; };
      const auto x = [&](int u) { return tile.activations + u * UNIT_ACTIVATIONS; };
      Lines lines[2];
      Products products[2];
      for (int u = -2; u < tile.units; u++) {
        if (u + 2 < tile.units) Type::unpack(unit(u + 2), lines[u & 1]);
        if (u + 1 >= 0 && u + 1 < tile.units) multiply_unit<T>(lines[(u + 1) & 1], x(u + 1), products[(u + 1) & 1]);
        if (u < 0) continue;
        add_block<Type, T>(unit(u), 0, x(u), products[u & 1], sums);
        add_block<Type, T>(unit(u), 1, x(u) + UNIT_ACTIVATIONS / 2, products[u & 1], sums);
      }
      store_sums<T>(tile, sums);
    }
  }
};

}  // namespace

void rk_blocks_amx_int8(const rk_product_job *job, int64_t first, int64_t end) {
  if (job->n / tiles(job->n) < FEWEST) return rk_blocks_avx512_vnni(job, first, end);
  const KeepTiles keep;
  if (job->type == RK_Q4_0) multiply<Blocks<Q4_0>>(*job, first, end);
  else if (job->type == RK_Q4_1) multiply<Blocks<Q4_1>>(*job, first, end);
  else multiply<Blocks<Q8_0>>(*job, first, end);
}
