// Rows of f32 into int8, with what happens before it: nothing, the norm, or SwiGLU. All variants use these functions,
// so that all have the same bits. Include byte-sums-avx2.h or byte-sums-neon.h first, for `Lanes` and sums of bytes.
#pragma once
#include <math.h>

#include "../variant.h"
#include "quantize-block.h"

namespace {

constexpr int RUN = 1024;  // k that a thread takes at a time

// Loads 8 elements at column i of a row, after what comes before quantizing.
struct Plain {
  const float *x;
  Plain(const rk_quantize_job &job, int64_t row) : x(job.x + row * job.x_stride) {}
  V operator()(int64_t i) const { return Lanes::load(x + i); }
};

struct Norm {
  const float *x, *b;
  V scale;
  Norm(const rk_quantize_job &job, int64_t row) : x(job.x + row * job.x_stride), b(job.b) {
    scale = Lanes::all(1.0f / sqrtf(sum_of_squares(x, job.k) / job.k + job.eps));
  }
  V operator()(int64_t i) const {
    return Lanes::mul(Lanes::mul(Lanes::load(x + i), scale), Lanes::load(b + i));
  }
};

struct Swiglu {
  const float *gate, *up;
  Swiglu(const rk_quantize_job &job, int64_t row)
      : gate(job.x + row * job.x_stride), up(job.b + row * job.b_stride) {}
  V operator()(int64_t i) const { return Lanes::mul(silu(Lanes::load(gate + i)), Lanes::load(up + i)); }
};

// Where the fields of one token lie in its tile.
struct Place {
  char *tile;
  int64_t tokens, token;

  Place(const rk_quantize_job &job, int64_t row) {
    const int64_t index = tile_of(job.n, row), start = tile_start(job.n, index);
    tokens = tile_start(job.n, index + 1) - start;
    token = row - start;
    tile = (char *)job.out + start * activation_row_bytes(job.kind, job.k);
  }
};

template <class Load> void quantize_one(const rk_quantize_job &job, const Load &load, const Place &at, int64_t block) {
  char *fields = at.tile + block * at.tokens * BLOCK_BYTES;
  V v[4];
  for (int i = 0; i < 4; i++) v[i] = block * 32 < job.k ? load(block * 32 + i * 8) : Lanes::all(0);
  quantize_block(v, (int8_t *)fields + at.token * 32, (float *)(fields + at.tokens * 32) + at.token,
                 (int32_t *)(fields + at.tokens * 36) + at.token);
}

template <class Load> void quantize_one_of_256(const Load &load, const Place &at, int64_t block) {
  char *fields = at.tile + block * at.tokens * SUPERBLOCK_BYTES;
  const int64_t t = at.token, tokens = at.tokens;
  float v[256];
  for (int i = 0; i < 256; i += 8) Lanes::store(v + i, load(block * 256 + i));
  quantize_superblock(v, {(int8_t *)fields + t * 256, (float *)(fields + tokens * D_AT) + t,
                          (int16_t *)(fields + tokens * SUMS_AT) + t * 8,
                          (int32_t *)(fields + tokens * PAIRS_AT) + t * 16,
                          (int32_t *)(fields + tokens * EIGHTHS_AT) + t * 32});
}

// Run `run` of one row.
template <class Load> void quantize_run(const rk_quantize_job &job, const Load &load, const Place &at, int64_t run) {
  const int64_t blocks = activation_blocks(job.kind, job.k), each = RUN / (job.kind == RK_PER_32 ? 32 : 256);
  for (int64_t block = run * each; block < least((run + 1) * each, blocks); block++)
    if (job.kind == RK_PER_32) quantize_one(job, load, at, block);
    else quantize_one_of_256(load, at, block);
}

template <class Load> void quantize_rows(const rk_quantize_job &job, int ith, int nth) {
  const int64_t runs = parts(job.k, RUN), all = job.n * runs, end = all * (ith + 1) / nth;
  for (int64_t work = all * ith / nth; work < end;) {
    const int64_t row = work / runs;
    const Load load(job, row);
    const Place place(job, row);
    for (; work < end && work / runs == row; work++) quantize_run(job, load, place, work % runs);
  }
}

static inline void quantize(const rk_quantize_job *job, int ith, int nth) {
  if (job->how == RK_NORM) quantize_rows<Norm>(*job, ith, nth);
  else if (job->how == RK_SWIGLU) quantize_rows<Swiglu>(*job, ith, nth);
  else quantize_rows<Plain>(*job, ith, nth);
}

}  // namespace
