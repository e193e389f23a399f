// The variants for x64, best first, and whether this processor runs them, as cpuid says.
#pragma once
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "variant.h"

namespace {

struct Registers {
  uint32_t a, b, c, d;
};

Registers cpuid(uint32_t leaf, uint32_t part) {
  Registers r = {0, 0, 0, 0};
  __get_cpuid_count(leaf, part, &r.a, &r.b, &r.c, &r.d);
  return r;
}

bool has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

// Registers that the operating system keeps for each thread (XCR0).
uint32_t kept_registers() {
  if (!has(cpuid(1, 0).c, bit_OSXSAVE)) return 0;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

bool runs_avx2() {
  constexpr uint32_t YMM = 0x6;
  return has(kept_registers(), YMM) && has(cpuid(1, 0).c, bit_AVX | bit_FMA | bit_F16C) &&
         has(cpuid(7, 0).b, bit_AVX2);
}

bool runs_avx512_vnni() {
  constexpr uint32_t ZMM = 0xe6;
  return runs_avx2() && has(kept_registers(), ZMM) && has(cpuid(7, 0).c, bit_AVX512VNNI) &&
         has(cpuid(7, 0).b, bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ);
}

// The operating system grants a process the tile registers when it asks for them.
bool runs_amx_int8() {
#if defined(__linux__)
  constexpr uint32_t TILES = 0x60000, TILE = 1u << 24, INT8 = 1u << 25;
  constexpr long ASK_FOR_FEATURE = 0x1023, TILE_DATA = 18;
  return runs_avx512_vnni() && has(kept_registers(), TILES) && has(cpuid(7, 0).d, TILE | INT8) &&
         syscall(SYS_arch_prctl, ASK_FOR_FEATURE, TILE_DATA) == 0;
#else
  return false;
#endif
}

constexpr rk_variant VARIANTS[] = {
    {"amx-int8", runs_amx_int8, rk_quantize_avx2, rk_blocks_amx_int8, rk_superblocks_amx_int8,
     rk_attend_avx512_vnni, rk_write_avx2, rk_read_rows_avx512_vnni},
    {"avx512-vnni", runs_avx512_vnni, rk_quantize_avx2, rk_blocks_avx512_vnni, rk_superblocks_avx512_vnni,
     rk_attend_avx512_vnni, rk_write_avx2, rk_read_rows_avx512_vnni},
    {"avx2", runs_avx2, rk_quantize_avx2, rk_blocks_avx2, rk_superblocks_avx2, rk_attend_avx2, rk_write_avx2,
     rk_read_rows_avx2},
};

}  // namespace
