// RoPE of q and k, and the writing of k and v to their pages, with the operations of ggml's rope and set_rows. All
// variants use these functions, so that all have the same bits. Include ../lanes-avx2.h or ../lanes-neon.h first, for
// `Lanes`.
#pragma once
#include <math.h>
#include <string.h>

#include "../variant.h"
#include "tasks.h"

namespace {

using V = Lanes::V;
constexpr int W = Lanes::W;

// A pair becomes fma(a, cos, -(b sin)), fma(a, sin, b cos): what compilers make of ggml's expressions.

// RK_ROPE_NORM: pair i is elements 2 i and 2 i + 1.
static void rotate_neighbours(float *out, const float *x, const float *cosines, const float *sines, int dims) {
  int d = 0;
  for (; d + W <= dims; d += W) Lanes::rotate_pairs(out + d, x + d, cosines + d / 2, sines + d / 2);
  for (; d < dims; d += 2) {
    const float a = x[d], b = x[d + 1], c = cosines[d / 2], s = sines[d / 2];
    out[d] = fmaf(a, c, -(b * s));
    out[d + 1] = fmaf(a, s, b * c);
  }
}

// RK_ROPE_NEOX: pair i is elements i and i + dims / 2.
static void rotate_halves(float *out, const float *x, const float *cosines, const float *sines, int dims) {
  const int half = dims / 2;
  for (int d = 0; d < half; d += W) {
    const V c = Lanes::load(cosines + d), s = Lanes::load(sines + d);
    const V a = Lanes::load(x + d), b = Lanes::load(x + half + d);
    Lanes::store(out + d, Lanes::fms(a, c, Lanes::mul(b, s)));
    Lanes::store(out + half + d, Lanes::fma(a, s, Lanes::mul(b, c)));
  }
}

static void rotate(const rk_write_job *job, int row, float *out, const float *x) {
  const float *cosines = job->rotations + (size_t)row * job->dims, *sines = cosines + job->dims / 2;
  if (job->mode == RK_ROPE_NEOX) rotate_halves(out, x, cosines, sines, job->dims);
  else rotate_neighbours(out, x, cosines, sines, job->dims);
  memcpy(out + job->dims, x + job->dims, (size_t)(job->pages.head_dim - job->dims) * sizeof(float));
}

static void store_f16(uint16_t *to, const float *x, int n) {
  for (int i = 0; i < n; i += W) Lanes::store(to + i, Lanes::load(x + i));
}

// Blocks of 32: the scale as f16, then the integers.
static void store_q8_0(uint8_t *to, const float *x, int n) {
  for (int i = 0; i < n; i += 32, to += 34) {
    V v[4], magnitudes = Lanes::all(0);
    for (int j = 0; j < 4; j++) {
      v[j] = Lanes::load(x + i + j * W);
      magnitudes = Lanes::max(magnitudes, Lanes::magnitude(v[j]));
    }
    const float most = Lanes::largest(magnitudes);
    const uint16_t scale = Lanes::to_half(most / 127.0f);
    memcpy(to, &scale, sizeof scale);
    const V inverse = Lanes::all(most == 0.0f ? 0.0f : 127.0f / most);
    Lanes::Ints whole[4];
    for (int j = 0; j < 4; j++) whole[j] = Lanes::nearest(Lanes::mul(v[j], inverse));
    Lanes::store((int8_t *)to + 2, Lanes::to_bytes(whole));
  }
}

// One head of the page row `page_row`.
static void store(const rk_pages &pages, void *to, size_t page_row, int head, const float *x) {
  const size_t at = (page_row * pages.n_kv_heads + head) * pages.head_dim;
  if (pages.type == RK_PAGE_F32) memcpy((float *)to + at, x, (size_t)pages.head_dim * sizeof(float));
  else if (pages.type == RK_PAGE_F16) store_f16((uint16_t *)to + at, x, pages.head_dim);
  else store_q8_0((uint8_t *)to + at / 32 * 34, x, pages.head_dim);
}

// The row of the pages that holds `row` of the step. Rows are asked for in order: `span` is where the last one was.
static size_t page_row(const rk_pages &pages, int row, int *span) {
  const int32_t *columns = pages.spans + *span * RK_SPAN_COLUMNS;
  while (row < columns[RK_SPAN_ROW] || row >= columns[RK_SPAN_ROW] + columns[RK_SPAN_ROWS])
    *span = (*span + 1) % pages.n_spans, columns = pages.spans + *span * RK_SPAN_COLUMNS;
  const int position = columns[RK_SPAN_POSITION] + row - columns[RK_SPAN_ROW];
  const int page = position / pages.page_size - columns[RK_SPAN_FIRST_PAGE];
  return (size_t)pages.tables[columns[RK_SPAN_TABLE] + page] * pages.page_size + position % pages.page_size;
}

static inline void write_rows(const rk_write_job *job, int first, int end) {
  const rk_pages &pages = job->pages;
  const int dim = pages.head_dim;
  float rotated[MAX_DIM];
  int span = 0;
  for (int row = first; row < end; row++) {
    for (int head = 0; head < job->n_heads; head++)
      rotate(job, row, job->out + ((size_t)row * job->n_heads + head) * dim, job->q + row * job->q_stride + head * dim);
    const size_t to = page_row(pages, row, &span);
    for (int head = 0; head < pages.n_kv_heads; head++) {
      rotate(job, row, rotated, job->k + row * job->k_stride + head * dim);
      store(pages, pages.k, to, head, rotated);
      store(pages, pages.v, to, head, job->v + row * job->v_stride + head * dim);
    }
  }
}

}  // namespace
