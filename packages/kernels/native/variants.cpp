// Which variants this processor runs, and which one computes.
#include "variant.h"

#include <string.h>

#include "kernels.h"
#if defined(__x86_64__)
#include "variants-x64.h"
#elif defined(__aarch64__)
#include "variants-arm64.h"
#endif

namespace {

const rk_variant *chosen;
char names[64];

}  // namespace

RK_API const char *rk_variants(void) {
  names[0] = 0;
  for (const rk_variant &variant : VARIANTS) {
    if (!variant.runs()) continue;
    if (names[0] != 0) strcat(names, ",");
    strcat(names, variant.name);
  }
  return names;
}

RK_API int rk_choose(const char *name) {
  for (const rk_variant &variant : VARIANTS) {
    if (strcmp(variant.name, name) != 0 || !variant.runs()) continue;
    chosen = &variant;
    return 0;
  }
  return -1;
}

const rk_variant *rk_chosen(void) { return chosen; }
