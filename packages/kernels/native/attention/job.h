// What an attention kernel is asked to do. Plain pointers: nothing here knows ggml.
#pragma once
#include "../kernels.h"

// K and V of one layer, in pages. Position p of a sequence whose page p / page_size is page `id` is row
// id * page_size + p % page_size; a row holds n_kv_heads * head_dim elements of `type`.
struct rk_pages {
  void *k, *v;
  int type, page_size, n_kv_heads, head_dim;
  const int32_t *spans;  // [n_spans, RK_SPAN_COLUMNS]
  const int32_t *tables;
  int n_spans;
};

struct rk_attend_job {
  rk_pages pages;
  int n_heads;      // query heads; head h reads KV head h / (n_heads / n_kv_heads)
  int window;       // positions that a row sees, itself included; 0: all
  int kv_heads;     // KV heads that a task of one row has, at most: all for few threads, 1 for many
  float scale;      // multiplies q
  const float *q;   // rows of n_heads * head_dim
  size_t q_stride;  // floats from one row of q to the next
  float *out;       // [rows, n_heads * head_dim]
  // Where spans of one row keep the results of chunks of 1,024 positions, so that threads share a long sequence:
  // [chunks, n_heads, head_dim + 16], span by span. NULL: a span is one thread's.
  float *partials;
  uint16_t *finished;  // chunks that have ended, [n_spans, parts of a span's heads]; zero before and after all tasks
};

// Rotates rows of q and k, and writes k and v to their pages.
struct rk_write_job {
  rk_pages pages;
  int n_heads;
  int mode, dims;              // of rk_rope
  const float *q, *k, *v;      // rows of n_heads or n_kv_heads heads
  size_t q_stride, k_stride, v_stride;  // floats from one row to the next
  const float *rotations;      // [rows, 2, dims / 2]: cosines, then sines
  float *out;                  // [rows, n_heads * head_dim]: the rotated q
};
