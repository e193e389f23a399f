// Products with weights that have a scale per 256 k and smaller ones per 32 (Q4_K, Q5_K), on AMX, for tiles of 12 and
// more tokens; smaller ones are left to AVX-512 VNNI, and so is Q6_K, which has scales per 16 and is no faster here.
//
// A tile instruction multiplies the 32 k of one smaller scale. Its products have 18 bits at most. Cut into the lowest
// byte and the rest, they are two int16, which `dpwssd` multiplies by the scale and by 256 times the scale and adds to
// 256 k, exactly. Then comes one step in f32, as in every variant.
#include "superblock-avx512.h"
#include "tiles-amx.h"

namespace {

constexpr int FEWEST = 12;
constexpr int PARTS = 8;  // of 32 k

struct Products {
  alignas(64) int32_t of[TILE][16];
};

// Parts `part` and `part` + 1. Weights have no signs.
static inline void multiply_two(const Superblock &w, int part, const char *block, Products *products) {
  fence();
  _tile_zero(0);
  _tile_zero(1);
  _tile_loadd(4, w.lines[part * 8], LINE);
  _tile_loadd(2, block + part * 32, 256);
  _tile_dpbsud(0, 2, 4);
  _tile_loadd(5, w.lines[part * 8 + 8], LINE);
  _tile_loadd(3, block + part * 32 + 32, 256);
  _tile_dpbsud(1, 3, 5);
  _tile_stored(0, products[part].of, LINE);
  _tile_stored(1, products[part + 1].of, LINE);
  fence();
}

// From each int32 its lowest byte, and the 16 bits above it.
static inline __m512i byte_and_rest(const int32_t products[16]) {
  const __m512i places = _mm512_set4_epi32(0x0e0d800c, 0x0a098008, 0x06058004, 0x02018000);
  return _mm512_shuffle_epi8(_mm512_load_si512(products), places);
}

template <class Type, int T>
static inline void add_superblock(const Superblock &w, const char *unit, const char *block,
                                  const Products products[PARTS], __m512 results[T]) {
  __m512i sums[T];
  for (int t = 0; t < T; t++) sums[t] = _mm512_setzero_si512();
  for (int part = 0; part < PARTS; part++) {
    for (int i = 0; i < 2; i++) prefetch_part<Type>(unit + Type::UNIT, part * 2 + i);
    const __m512i twice = load_line((const char *)w.scales[part * 2]);
    const __m512i scales = _mm512_mask_slli_epi16(twice, 0xaaaaaaaa, twice, 8);
#pragma GCC unroll 16
    for (int t = 0; t < T; t++) sums[t] = _mm512_dpwssd_epi32(sums[t], byte_and_rest(products[part].of[t]), scales);
  }
  add_scaled<T>(w, block, sums, results);
  subtract_minimums<T>(w, block, results);
}

// The products of a superblock are stored, the next one is unpacked, and then the products are read.
template <class Type> struct Superblocks {
  template <int T> static void tile(const Tile &tile) {
    if constexpr (T >= FEWEST) {
      configure(T);
      __m512 results[T];
      load_sums<T>(tile, results);
      const char *unit = tile.weights, *block = tile.activations;
      Superblock w[2];
      Products products[PARTS];
      Type::unpack(unit, w[0]);
      for (int u = 0; u < tile.units; u++, unit += Type::UNIT, block += T * SUPERBLOCK_BYTES) {
        for (int part = 0; part < PARTS; part += 2) multiply_two(w[u & 1], part, block, products);
        if (u + 1 < tile.units) Type::unpack(unit + Type::UNIT, w[~u & 1]);
        add_superblock<Type, T>(w[u & 1], unit, block, products, results);
      }
      store_sums<T>(tile, results);
    }
  }
};

}  // namespace

void rk_superblocks_amx_int8(const rk_product_job *job, int64_t first, int64_t end) {
  if (job->type == RK_Q6_K || job->n / tiles(job->n) < FEWEST) return rk_superblocks_avx512_vnni(job, first, end);
  const KeepTiles keep;
  if (job->type == RK_Q4_K) multiply<Superblocks<Q4_K>>(*job, first, end);
  else multiply<Superblocks<Q5_K>>(*job, first, end);
}
