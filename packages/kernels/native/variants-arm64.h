// The variants for arm64, best first, and whether this processor runs them, as the operating system says.
#pragma once
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

#include "variant.h"

namespace {

bool runs_dotprod() {
#if defined(__linux__)
  constexpr unsigned long DOT_PRODUCTS = 1ul << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & DOT_PRODUCTS) != 0;
#elif defined(__APPLE__)
  int has = 0;
  size_t size = sizeof has;
  return sysctlbyname("hw.optional.arm.FEAT_DotProd", &has, &size, nullptr, 0) == 0 && has != 0;
#else
  return false;
#endif
}

constexpr rk_variant VARIANTS[] = {
    {"neon-dotprod", runs_dotprod, rk_quantize_neon, rk_blocks_neon_dotprod, rk_superblocks_neon_dotprod,
     rk_attend_neon, rk_write_neon, rk_read_rows_neon},
};

}  // namespace
