// Attention's vectors of 8 floats. Include ../lanes-avx2.h or ../lanes-neon.h first, for `Lanes`.
#pragma once

namespace {

struct Simd : Lanes {
  static constexpr int MIX = 2;  // vectors of V that a set mixes at once: 4 queries x 2 = 8 sums

  static inline Four first_four(V x) { return lower(x); }

  // The larger of lanes i and i + 4.
  static inline Four largest_of_fourths(V x) { return max(lower(x), upper(x)); }

  // Sums of a block of 32 by position modulo 4: what is 16 apart, then 8, then 4.
  static inline Four sums_of_fourths(const V x[4]) {
    const V y = add(add(x[0], x[2]), add(x[1], x[3]));
    return add(lower(y), upper(y));
  }

  // An element of widened keys, which are rows of f32.
  using Key = float;
  static constexpr int KEY_GAP = 8;
  static inline float *key_row(float *keys, int j, int head_dim) { return keys + j * head_dim; }

  // Positions whose scores are computed at once: Q * STEP <= 8 sums.
  template <int Q> static constexpr int STEP = Q == 1 ? 8 : Q == 2 ? 4 : 2;

  // p[i * 32 + j] = q[i] . k[j] for Q queries and STEP<Q> positions: eight sums per product, added as
  // ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)).
  template <int Q, class T> static inline void scores(const T *const *k, const float *q, int head_dim, float *p) {
    constexpr int N = STEP<Q>;
    V sums[Q * N];
    for (int i = 0; i < Q * N; i++) sums[i] = all(0);
    for (int d = 0; d < head_dim; d += 8) {
      V keys[N];
      for (int n = 0; n < N; n++) keys[n] = load(k[n] + d);
      for (int i = 0; i < Q; i++) {
        const V x = load(q + i * head_dim + d);
        for (int n = 0; n < N; n++) sums[i * N + n] = fma(x, keys[n], sums[i * N + n]);
      }
    }
    for (int i = 0; i < Q * N; i += 4) {
      const int next = i + 2 < Q * N ? i + 2 : i;
      const Four four = reduce(sums[i], sums[i + 1], sums[next], sums[next + 1]);
      if constexpr (N >= 4) {
        store(p + i / N * 32 + i % N, four);
      } else {
        store_low(p + i / N * 32, four);
        store_high(p + next / N * 32, four);
      }
    }
  }

 private:
  static inline Four reduce(V a, V b, V c, V d) {
    const V x = add_neighbours(add_neighbours(a, b), add_neighbours(c, d));
    return add(lower(x), upper(x));
  }
};

}  // namespace
