// A set of at most four query heads of one row, and its online softmax. The order of every sum is fixed, so that a row
// has the same bits whichever rows, threads and parts computed beside it, and on every instruction set.
//
// Per block of 32 positions:  m' = max(m, max x)   c = e^(m - m')   p = e^(x - m')   s = s c + sum p
//                             acc = acc c, then acc = fma(p[j], V[j], acc) position by position
// Online softmax as in "Online normalizer calculation for softmax", Milakov and Gimelshein, 2018.
//
// Include simd-eight.h or simd-avx512.h first: `Simd` has the operations on vectors of W floats, `Lanes` those on four.
#pragma once
#include <math.h>
#include "tasks.h"

namespace {

using V = Simd::V;
using Four = Lanes::Four;
constexpr int W = Simd::W;
constexpr int SET = 4;

struct Set {
  int queries;             // heads [head, head + queries) of row `row` of the step
  int row, head;
  int low, high;           // positions that its row sees
  int first, last;         // the same within the current block; first > last: none
  const float *q;          // [queries, head_dim], scaled
  float *acc, *total;      // [queries, head_dim]: of the current chunk, of all chunks before it
  // A lane per query, the others filled too: largest score and sum of powers, of the chunk and of all chunks before it.
  alignas(16) float m[SET], s[SET], total_m[SET], total_s[SET];
  alignas(16) float c[SET];
  alignas(64) float p[SET][BLOCK];  // scores, then powers, of the current block
};

// e^x for x <= 0 within 2 ulp; 0 below -87; NaN stays. Polynomial and constants: Cephes, expf.
static inline V power(V x) {
  const V lowest = Simd::all(-87.0f), bounded = Simd::max(lowest, x);
  const V k = Simd::round(Simd::mul(bounded, Simd::all(1.44269504f)));
  const V r = Simd::fnma(k, Simd::all(-2.12194440e-4f), Simd::fnma(k, Simd::all(0.693359375f), bounded));
  V p = Simd::all(1.9875691500e-4f);
  p = Simd::fma(p, r, Simd::all(1.3981999507e-3f));
  p = Simd::fma(p, r, Simd::all(8.3334519073e-3f));
  p = Simd::fma(p, r, Simd::all(4.1665795894e-2f));
  p = Simd::fma(p, r, Simd::all(1.6666665459e-1f));
  p = Simd::fma(p, r, Simd::all(5.0000001201e-1f));
  p = Simd::add(Simd::fma(p, Simd::mul(r, r), r), Simd::all(1.0f));
  return Simd::zero_below(x, lowest, Simd::mul(p, Simd::two_to(k)));
}

static inline float power(float x) { return Lanes::first(Simd::first_four(power(Simd::all(x)))); }

// The largest lane of each of four vectors.
static inline Four largest_lanes(const Four x[SET]) {
  const Four ab = Lanes::max(Lanes::zip_low(x[0], x[1]), Lanes::zip_high(x[0], x[1]));
  const Four cd = Lanes::max(Lanes::zip_low(x[2], x[3]), Lanes::zip_high(x[2], x[3]));
  return Lanes::max(Lanes::lows(ab, cd), Lanes::highs(ab, cd));
}

// The sum of each vector's lanes, (0 + 2) + (1 + 3).
static inline Four sum_lanes(const Four x[SET]) {
  const Four ab = Lanes::add(Lanes::zip_low(x[0], x[1]), Lanes::zip_high(x[0], x[1]));
  const Four cd = Lanes::add(Lanes::zip_low(x[2], x[3]), Lanes::zip_high(x[2], x[3]));
  return Lanes::add(Lanes::lows(ab, cd), Lanes::highs(ab, cd));
}

// The set's scores of a block become powers.
template <int Q> static inline void soften(Set &set) {
  constexpr int VECTORS = BLOCK / W;
  Four most[SET], sums[SET];
  for (int i = 0; i < Q; i++) {
    V x = Simd::load(set.p[i]);
    for (int j = 1; j < VECTORS; j++) x = Simd::max(x, Simd::load(set.p[i] + j * W));
    most[i] = Simd::largest_of_fourths(x);
  }
  for (int i = Q; i < SET; i++) most[i] = most[Q - 1];
  const Four old = Lanes::load_four(set.m), m = Lanes::max(old, largest_lanes(most));
  Lanes::store(set.m, m);
  for (int i = 0; i < Q; i++) {
    V x[VECTORS];
    for (int j = 0; j < VECTORS; j++) {
      x[j] = power(Simd::sub(Simd::load(set.p[i] + j * W), Simd::all(set.m[i])));
      Simd::store(set.p[i] + j * W, x[j]);
    }
    sums[i] = Simd::sums_of_fourths(x);
  }
  for (int i = Q; i < SET; i++) sums[i] = sums[Q - 1];
  const Four c = Simd::first_four(power(Simd::spread(Lanes::sub(old, m))));
  Lanes::store(set.c, c);
  Lanes::store(set.s, Lanes::fma(Lanes::load_four(set.s), c, sum_lanes(sums)));
}

// Positions of the block that the row does not see weigh nothing.
static inline void mask(Set &set, int i) {
  for (int j = 0; j < BLOCK; j++) set.p[i][j] = j < set.first || j > set.last ? -INFINITY : set.p[i][j];
}

static inline void start(Set &set, int head_dim) {
  for (int i = 0; i < SET; i++) set.m[i] = -INFINITY, set.s[i] = 0;
  for (int d = 0; d < set.queries * head_dim; d += W) Simd::store(set.acc + d, Simd::all(0));
}

static inline void start_total(Set &set, int head_dim) {
  for (int i = 0; i < set.queries; i++) set.total_m[i] = -INFINITY, set.total_s[i] = 0;
  for (int d = 0; d < set.queries * head_dim; d += W) Simd::store(set.total + d, Simd::all(0));
}

// The total takes in the result of the next chunk of one query: acc, m, s.
static inline void merge(Set &set, int i, const float *acc, float m, float s, int head_dim) {
  const float most = fmaxf(set.total_m[i], m);
  const float a = power(set.total_m[i] - most), b = power(m - most);
  float *total = set.total + i * head_dim;
  for (int d = 0; d < head_dim; d += W) {
    const V kept = Simd::mul(Simd::load(total + d), Simd::all(a));
    Simd::store(total + d, Simd::fma(Simd::load(acc + d), Simd::all(b), kept));
  }
  set.total_s[i] = fmaf(s, b, set.total_s[i] * a);
  set.total_m[i] = most;
}

static inline void finish(const Set &set, int i, float *out, int head_dim) {
  const V share = Simd::all(1.0f / set.total_s[i]);
  const float *total = set.total + i * head_dim;
  for (int d = 0; d < head_dim; d += W) Simd::store(out + d, Simd::mul(Simd::load(total + d), share));
}

}  // namespace
