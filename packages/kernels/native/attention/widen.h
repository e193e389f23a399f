// Rows of pages as f32, eight elements at a time in every variant.
#pragma once
#include "block.h"

namespace {

static inline Lanes::V eight(const float *row, int d) { return Lanes::load(row + d); }

static inline Lanes::V eight(const f16 *row, int d) { return Lanes::load(row + d); }

static inline Lanes::V eight(const q8_0 *row, int d) {
  const q8_0 &block = row[d / 32];
  return Lanes::mul(Lanes::load(block.q + d % 32), Lanes::all(Lanes::from_half(block.d)));
}

// Every eight elements start `gap` floats after the eight before them.
template <class T> static inline void widen(float *to, int gap, const T *row, int head_dim) {
  for (int d = 0; d < head_dim; d += 8, to += gap) Lanes::store(to, eight(row, d));
}

}  // namespace
