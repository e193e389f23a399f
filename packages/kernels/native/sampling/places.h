// Places in a row's order: by falling logit, then by rising id. They are found digit by digit of the logits' keys, in
// three passes over the row, without sorting it.
#pragma once
#include "weight.h"

namespace {

// An element: the one of this key that has `equals` others before it.
struct Place {
  uint32_t key;
  double equals;
};

// The element that holds unit `target` of the weights, counted in the row's order; target < the sum of all weights.
// Keys below `least` are known to come after it.
template <class Of> Place place_of(const Row &row, const Of &of, double target, uint32_t least = 0) {
  constexpr int DIGITS[] = {11, 11, 10};
  uint32_t prefix = 0;
  int shift = 32;
  for (int bits : DIGITS) {
    double bins[1 << 11] = {};
    const int above = shift;
    shift -= bits;
    const uint32_t last = (1u << bits) - 1;
    for (int64_t i = 0; i < row.n; i += LANES) {
      const F x = row.load(i);
      const U keys = keys_of(x);
      const auto is_wanted = above == 32 ? keys >= least : (keys >> (above & 31)) == prefix;
      if (!any(is_wanted)) continue;
      const D weights = of(x);
      for (int lane = 0; lane < LANES; lane++)
        if (is_wanted[lane]) bins[(keys[lane] >> shift) & last] += weights[lane];
    }
    uint32_t digit = last;
    while (digit > 0 && target >= bins[digit]) target -= bins[digit--];
    prefix = prefix << bits | digit;
  }
  return {prefix, __builtin_floor(target / of(F{} + float_of(prefix))[0])};
}

template <class Of> double sum_of(const Row &row, const Of &of) {
  D total = {};
  for (int64_t i = 0; i < row.n; i += LANES) total += of(row.load(i));
  return sum(total);
}

// A key that at least `count` elements reach, so that the place of any of the first `count` can be looked for above it;
// 0 when `count` is large. Each chunk of the row has one element that reaches its maximum.
inline uint32_t key_reached_by(const Row &row, int64_t count) {
  constexpr int CHUNKS = 512, MOST = 64;
  if (count > MOST || row.n < CHUNKS * LANES) return 0;
  uint32_t best[CHUNKS];
  for (int chunk = 0; chunk < CHUNKS; chunk++) {
    F most = F{} - INFINITY;
    const int64_t end = row.n * (chunk + 1) / CHUNKS;
    for (int64_t i = row.n * chunk / CHUNKS; i + LANES <= end; i += LANES) {
      const F x = row.load(i);
      most = x > most ? x : most;
    }
    const U keys = keys_of(most);
    best[chunk] = 0;
    for (int lane = 0; lane < LANES; lane++) best[chunk] = keys[lane] > best[chunk] ? keys[lane] : best[chunk];
  }
  for (int64_t i = 0; i < count; i++) {
    int64_t at = i;
    for (int64_t j = i + 1; j < CHUNKS; j++) at = best[j] > best[at] ? j : at;
    const uint32_t key = best[at];
    best[at] = best[i];
    best[i] = key;
  }
  return best[count - 1];
}

// The place of the element that has `rank` others before it.
inline Place place_of_rank(const Row &row, int64_t rank) {
  return place_of(row, Count(), (double)rank, key_reached_by(row, rank + 1));
}

// The sum of the weights up to a place, itself included.
template <class Of> double sum_through(const Row &row, const Of &of, const Place &place) {
  D total = {};
  for (int64_t i = 0; i < row.n; i += LANES) {
    const F x = row.load(i);
    const U keys = keys_of(x);
    if (any(keys > place.key)) {
      const I before = __builtin_convertvector(keys > place.key, I);
      total += before ? of(x) : D{};
    }
  }
  return sum(total) + (place.equals + 1) * of(F{} + float_of(place.key))[0];
}

inline int64_t id_at(const Row &row, Place place) {
  for (int64_t i = 0; i < row.n; i += LANES) {
    const U keys = keys_of(row.load(i));
    if (!any(keys == place.key)) continue;
    for (int lane = 0; lane < LANES; lane++)
      if (keys[lane] == place.key && place.equals-- < 1) return i + lane;
  }
  return -1;
}

// The greatest number's id, the lowest among equals; -1 when all are NaN or -Infinity.
inline int64_t id_of_best(const Row &row) {
  constexpr int CHAINS = 4;
  F most[CHAINS];
  for (F &m : most) m = F{} - INFINITY;
  for (int64_t i = 0; i < row.n; i += LANES * CHAINS)
    for (int c = 0; c < CHAINS; c++) {
      const F x = row.load(i + c * LANES);
      most[c] = x > most[c] ? x : most[c];
    }
  float best = -INFINITY;
  for (const F &m : most)
    for (int lane = 0; lane < LANES; lane++) best = m[lane] > best ? m[lane] : best;
  if (best == -INFINITY) return -1;
  for (int64_t i = 0;; i++)
    if (row.x[i] == best) return i;
}

// The element that holds unit `target` of the weights, counted in the order of ids.
template <class Of> int64_t id_of_unit(const Row &row, const Of &of, double target) {
  for (int64_t i = 0; i < row.n; i += LANES) {
    const D weights = of(row.load(i));
    const double all = sum(weights);
    if (target >= all) {
      target -= all;
      continue;
    }
    for (int lane = 0; lane < LANES; lane++) {
      if (target < weights[lane]) return i + lane;
      target -= weights[lane];
    }
  }
  return -1;
}

}  // namespace
