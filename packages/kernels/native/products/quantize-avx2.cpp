// Rows of f32 into int8, with what happens before it: nothing, the norm, or SwiGLU. All variants use these functions,
// so that all have the same bits.
#include <immintrin.h>
#include <math.h>

#include "../variant.h"
#include "activations.h"
#include "quantize-block-avx2.h"

namespace {

constexpr int RUN = 1024;  // k that a thread takes at a time

// Loads 8 elements at column i of a row, after what comes before quantizing.
struct Plain {
  const float *x;
  Plain(const rk_quantize_job &job, int64_t row) : x(job.x + row * job.x_stride) {}
  __m256 operator()(int64_t i) const { return _mm256_loadu_ps(x + i); }
};

struct Norm {
  const float *x, *b;
  __m256 scale;
  Norm(const rk_quantize_job &job, int64_t row) : x(job.x + row * job.x_stride), b(job.b) {
    scale = _mm256_set1_ps(1.0f / sqrtf(sum_of_squares(x, job.k) / job.k + job.eps));
  }
  __m256 operator()(int64_t i) const {
    return _mm256_mul_ps(_mm256_mul_ps(_mm256_loadu_ps(x + i), scale), _mm256_loadu_ps(b + i));
  }
};

struct Swiglu {
  const float *gate, *up;
  Swiglu(const rk_quantize_job &job, int64_t row)
      : gate(job.x + row * job.x_stride), up(job.b + row * job.b_stride) {}
  __m256 operator()(int64_t i) const { return _mm256_mul_ps(silu(_mm256_loadu_ps(gate + i)), _mm256_loadu_ps(up + i)); }
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

// Blocks [first, end) of 32 of one row.
template <class Load> void quantize_blocks(const rk_quantize_job &job, const Load &load, const Place &at, int64_t first) {
  const int64_t end = least(first + RUN / 32, activation_blocks(RK_PER_32, job.k));
  for (int64_t block = first; block < end; block++) {
    char *fields = at.tile + block * at.tokens * BLOCK_BYTES;
    int8_t *q = (int8_t *)fields + at.token * 32;
    float *d = (float *)(fields + at.tokens * 32) + at.token;
    int32_t *offset = (int32_t *)(fields + at.tokens * 36) + at.token;
    __m256 v[4];
    for (int i = 0; i < 4; i++) v[i] = block * 32 < job.k ? load(block * 32 + i * 8) : _mm256_setzero_ps();
    quantize_block(v, q, d, offset);
  }
}

template <class Load> void quantize_rows(const rk_quantize_job &job, int ith, int nth) {
  const int64_t runs = parts(job.k, RUN), all = job.n * runs;
  int64_t work = all * ith / nth;
  while (work < all * (ith + 1) / nth) {
    const int64_t row = work / runs;
    const Load load(job, row);
    const Place place(job, row);
    for (; work < all * (ith + 1) / nth && work / runs == row; work++)
      quantize_blocks(job, load, place, work % runs * (RUN / 32));
  }
}

}  // namespace

void rk_quantize_avx2(const rk_quantize_job *job, int ith, int nth) {
  if (job->how == RK_NORM) quantize_rows<Norm>(*job, ith, nth);
  else if (job->how == RK_SWIGLU) quantize_rows<Swiglu>(*job, ith, nth);
  else quantize_rows<Plain>(*job, ith, nth);
}
