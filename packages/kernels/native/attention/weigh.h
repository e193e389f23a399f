// What a set does with a block of K, then with the same block of V.
#pragma once
#include "block.h"
#include "softmax.h"

namespace {

// Asks for rows [first, first + count) of the next block, `bytes` each.
template <class T> static inline void ask(const T *const *rows, int first, int count, int bytes) {
  for (int i = first; i < first + count; i++)
    for (int at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)rows[i] + at, 0, 2);
}

// Scores of a block, then powers.
template <int Q, bool AHEAD, class T>
static inline void weigh(Set &set, const T *const *k, const T *const *next, int head_dim) {
  constexpr int STEP = Simd::STEP<Q>;
  for (int i = set.first / STEP * STEP; i <= set.last; i += STEP) {
    if (AHEAD) ask(next, i, STEP, head_dim * (int)sizeof(T));
    Simd::scores<Q>(k + i, set.q, head_dim, set.p[0] + i);
  }
  if (set.last - set.first + 1 < BLOCK)
    for (int i = 0; i < Q; i++) mask(set, i);
  soften<Q>(set);
}

// acc = acc c + sum over positions of p V, for N vectors of each query from element d on.
template <int Q, int N, class T> static inline void mix_part(Set &set, const T *const *v, int head_dim, int d) {
  V acc[Q][N];
  for (int i = 0; i < Q; i++)
    for (int n = 0; n < N; n++)
      acc[i][n] = Simd::mul(Simd::load(set.acc + i * head_dim + d + n * W), Simd::all(set.c[i]));
  for (int j = set.first; j <= set.last; j++) {
    V x[N];
    for (int n = 0; n < N; n++) x[n] = Simd::load(v[j] + d + n * W);
    for (int i = 0; i < Q; i++) {
      const V p = Simd::all(set.p[i][j]);
      for (int n = 0; n < N; n++) acc[i][n] = Simd::fma(p, x[n], acc[i][n]);
    }
  }
  for (int i = 0; i < Q; i++)
    for (int n = 0; n < N; n++) Simd::store(set.acc + i * head_dim + d + n * W, acc[i][n]);
}

template <int Q, bool AHEAD, class T>
static inline void mix(Set &set, const T *const *v, const T *const *next, int head_dim) {
  constexpr int N = Simd::MIX;
  const int rows = BLOCK * N * W / head_dim;
  int d = 0, asked = 0;
  for (; d + N * W <= head_dim; d += N * W) {
    if (AHEAD) ask(next, asked, smaller(rows, BLOCK - asked), head_dim * (int)sizeof(T)), asked += rows;
    mix_part<Q, N>(set, v, head_dim, d);
  }
  for (; d < head_dim; d += W) mix_part<Q, 1>(set, v, head_dim, d);
}

template <bool AHEAD, class T>
static void weigh_any(Set &set, const T *const *k, const T *const *next, int head_dim) {
  switch (set.queries) {
    case 1: return weigh<1, AHEAD>(set, k, next, head_dim);
    case 2: return weigh<2, AHEAD>(set, k, next, head_dim);
    case 3: return weigh<3, AHEAD>(set, k, next, head_dim);
    default: return weigh<4, AHEAD>(set, k, next, head_dim);
  }
}

template <bool AHEAD, class T>
static void mix_any(Set &set, const T *const *v, const T *const *next, int head_dim) {
  switch (set.queries) {
    case 1: return mix<1, AHEAD>(set, v, next, head_dim);
    case 2: return mix<2, AHEAD>(set, v, next, head_dim);
    case 3: return mix<3, AHEAD>(set, v, next, head_dim);
    default: return mix<4, AHEAD>(set, v, next, head_dim);
  }
}

}  // namespace
