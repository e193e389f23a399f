// RoPE of q and k, and the writing of k and v to their pages, with the operations of ggml's rope and set_rows.
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "../variant.h"
#include "tasks.h"

namespace {

constexpr int W = 8;

// A pair becomes fma(a, cos, -(b sin)), fma(a, sin, b cos): what compilers make of ggml's expressions.

// Pairs of RK_ROPE_NORM lie side by side, four in a vector: a b a b a b a b.
void rotate_neighbours(float *out, const float *x, const float *cosines, const float *sines, int dims) {
  int d = 0;
  for (; d + W <= dims; d += W) {
    const __m128 c = _mm_loadu_ps(cosines + d / 2), s = _mm_loadu_ps(sines + d / 2);
    const __m256 cs = _mm256_set_m128(_mm_unpackhi_ps(c, s), _mm_unpacklo_ps(c, s)), sc = _mm256_permute_ps(cs, 0xb1);
    const __m256 v = _mm256_loadu_ps(x + d), a = _mm256_moveldup_ps(v), b = _mm256_movehdup_ps(v);
    _mm256_storeu_ps(out + d, _mm256_fmaddsub_ps(a, cs, _mm256_mul_ps(b, sc)));
  }
  for (; d < dims; d += 2) {
    const float a = x[d], b = x[d + 1], c = cosines[d / 2], s = sines[d / 2];
    out[d] = fmaf(a, c, -(b * s));
    out[d + 1] = fmaf(a, s, b * c);
  }
}

// Those of RK_ROPE_NEOX are half of the rotated elements apart.
void rotate_halves(float *out, const float *x, const float *cosines, const float *sines, int dims) {
  const int half = dims / 2;
  for (int d = 0; d < half; d += W) {
    const __m256 c = _mm256_loadu_ps(cosines + d), s = _mm256_loadu_ps(sines + d);
    const __m256 a = _mm256_loadu_ps(x + d), b = _mm256_loadu_ps(x + half + d);
    _mm256_storeu_ps(out + d, _mm256_fmsub_ps(a, c, _mm256_mul_ps(b, s)));
    _mm256_storeu_ps(out + half + d, _mm256_fmadd_ps(a, s, _mm256_mul_ps(b, c)));
  }
}

void rotate(const rk_write_job *job, int row, float *out, const float *x) {
  const float *cosines = job->rotations + (size_t)row * job->dims, *sines = cosines + job->dims / 2;
  if (job->mode == RK_ROPE_NEOX) rotate_halves(out, x, cosines, sines, job->dims);
  else rotate_neighbours(out, x, cosines, sines, job->dims);
  memcpy(out + job->dims, x + job->dims, (size_t)(job->pages.head_dim - job->dims) * sizeof(float));
}

void store_f16(uint16_t *to, const float *x, int n) {
  for (int i = 0; i < n; i += W)
    _mm_storeu_si128((__m128i *)(to + i), _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
}

float largest_magnitude(const float *x) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  __m256 most = _mm256_setzero_ps();
  for (int i = 0; i < 32; i += W) most = _mm256_max_ps(most, _mm256_andnot_ps(sign, _mm256_loadu_ps(x + i)));
  __m128 m = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
  m = _mm_max_ps(m, _mm_movehl_ps(m, m));
  return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

// Blocks of 32: the scale as f16, then the integers.
void store_q8_0(uint8_t *to, const float *x, int n) {
  for (int i = 0; i < n; i += 32, to += 34) {
    const float most = largest_magnitude(x + i);
    const uint16_t scale = _cvtss_sh(most / 127.0f, _MM_FROUND_TO_NEAREST_INT);
    memcpy(to, &scale, sizeof scale);
    const __m256 inverse = _mm256_set1_ps(most == 0.0f ? 0.0f : 127.0f / most);
    for (int j = 0; j < 32; j += W) {
      const __m256i whole = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + i + j), inverse));
      const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
      _mm_storel_epi64((__m128i *)(to + 2 + j), _mm_packs_epi16(words, words));
    }
  }
}

// One head of the page row `page_row`.
void store(const rk_pages &pages, void *to, size_t page_row, int head, const float *x) {
  const size_t at = (page_row * pages.n_kv_heads + head) * pages.head_dim;
  if (pages.type == RK_PAGE_F32) memcpy((float *)to + at, x, (size_t)pages.head_dim * sizeof(float));
  else if (pages.type == RK_PAGE_F16) store_f16((uint16_t *)to + at, x, pages.head_dim);
  else store_q8_0((uint8_t *)to + at / 32 * 34, x, pages.head_dim);
}

// The row of the pages that holds `row` of the step. Rows are asked for in order: `span` is where the last one was.
size_t page_row(const rk_pages &pages, int row, int *span) {
  const int32_t *columns = pages.spans + *span * RK_SPAN_COLUMNS;
  while (row < columns[RK_SPAN_ROW] || row >= columns[RK_SPAN_ROW] + columns[RK_SPAN_ROWS])
    *span = (*span + 1) % pages.n_spans, columns = pages.spans + *span * RK_SPAN_COLUMNS;
  const int position = columns[RK_SPAN_POSITION] + row - columns[RK_SPAN_ROW];
  const int page = position / pages.page_size - columns[RK_SPAN_FIRST_PAGE];
  return (size_t)pages.tables[columns[RK_SPAN_TABLE] + page] * pages.page_size + position % pages.page_size;
}

}  // namespace

void rk_write_avx2(const rk_write_job *job, int first, int end) {
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
