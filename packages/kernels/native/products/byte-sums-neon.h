// Sums of quantized activations, with NEON.
#pragma once
#include "../lanes-neon.h"
#include "activations.h"

namespace {

static inline int32_t sum_of_bytes(Lanes::Bytes q) { return vaddlvq_s8(q.low) + vaddlvq_s8(q.high); }

// The sum of 32 int8, number `part` of 8. `pairs` and `eighths` undo an offset that NEON's signed weights do not have.
static inline void sum_part(Lanes::Bytes bytes, int part, const SuperblockFields &to) {
  to.sums[part] = (int16_t)sum_of_bytes(bytes);
}

}  // namespace
