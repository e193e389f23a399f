// Weights of logits: 2^((logit - best) factor), as whole numbers. Sums of whole numbers below 2^53 are exact, so any
// number of lanes and any order give the same sum, and packages/ggml/src/sampling/weights.ts gives it too.
//
// Vectors are the compilers' own, so that one source serves every instruction set; a cast keeps their bits. Define
// LANES first, the number of doubles that a register holds. Nothing may be contracted to an fma, which JavaScript does
// not have.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

namespace {

typedef float F __attribute__((vector_size(LANES * 4)));
typedef uint32_t U __attribute__((vector_size(LANES * 4)));
typedef double D __attribute__((vector_size(LANES * 8)));
typedef int64_t I __attribute__((vector_size(LANES * 8)));

constexpr double LOG2_E = 1.4426950408889634;

// One row of logits.
struct Row {
  const float *x;
  int64_t n;

  // Elements from i on; NaN, which weighs nothing, behind the last one.
  F load(int64_t i) const {
    F v;
    if (i + LANES <= n) {
      memcpy(&v, x + i, sizeof v);
      return v;
    }
    for (int lane = 0; lane < LANES; lane++) v[lane] = i + lane < n ? x[i + lane] : NAN;
    return v;
  }
};

// 2^0 weighs 2^exponent: as much as n of them may, that their sum stays below 2^53.
inline int64_t exponent_of(int64_t n) {
  int64_t exponent = 53;
  for (int64_t most = 1; most < n; most *= 2) exponent--;
  return exponent;
}

struct Weigh {
  double best, factor;
  double floor;  // logits below weigh nothing
  int64_t exponent;

  // Within 1e-11, then rounded to whole numbers. NaN and -Infinity weigh nothing.
  D operator()(F x) const {
    constexpr double TO_WHOLE = 0x1.8p52, LEAST = -62;
    const D wide = __builtin_convertvector(x, D), y = (wide - best) * factor, none = {};
    const D least = none + LEAST, bounded = y > LEAST ? y : least;
    const D shifted = bounded + TO_WHOLE, whole = shifted - TO_WHOLE, f = bounded - whole;
    // 2^f for f in [-1/2, 1/2]: terms ln(2)^i / i! of the exponential series.
    D p = f * 1.0178086009239699e-07 + 1.321548679014431e-06;
    p = p * f + 1.5252733804059841e-05;
    p = p * f + 0.0001540353039338161;
    p = p * f + 0.0013333558146428443;
    p = p * f + 0.009618129107628477;
    p = p * f + 0.05550410866482158;
    p = p * f + 0.24022650695910072;
    p = p * f + 0.6931471805599453;
    p = p * f + 1.0;
    // The last bits of `shifted` are the whole number, which becomes the exponent of a power of two.
    const D power = (D)(((I)shifted + (1023 + exponent)) << 52);
    const D weight = (p * power + 0x1p52) - 0x1p52;
    return wide >= floor ? weight : none;
  }
};

// Weighs every element alike.
struct Count {
  D operator()(F) const { return D{} + 1.0; }
};

// Numbers that order floats: a greater one for a greater float, equal ones for -0 and 0, 0 for NaN.
inline U keys_of(F x) {
  const U bits = (U)(x + 0.0f), negative = U{} - (bits >> 31);  // -0 + 0 is 0
  return (bits ^ (negative | 0x80000000u)) & (U)(x == x);
}

inline float float_of(uint32_t key) {
  const uint32_t bits = key >> 31 ? key ^ 0x80000000u : ~key;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

inline double sum(D v) {
  double total = 0;
  for (int lane = 0; lane < LANES; lane++) total += v[lane];
  return total;
}

template <class Mask> inline bool any(Mask mask) {
  uint64_t words[sizeof mask / 8], all = 0;
  memcpy(words, &mask, sizeof mask);
  for (uint64_t word : words) all |= word;
  return all != 0;
}

}  // namespace
