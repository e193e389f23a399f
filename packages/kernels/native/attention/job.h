// What an attention kernel is asked to do. Plain pointers: nothing here knows ggml.
#pragma once
#include <stddef.h>
#include <stdint.h>

// Element types of pages, numbered as ggml numbers them.
enum { RK_PAGE_F32 = 0, RK_PAGE_F16 = 1, RK_PAGE_Q8_0 = 8 };

// Columns of a span, an i32 [RK_SPAN_COLUMNS]: rows of the step that follow each other in one sequence.
enum {
  RK_SPAN_ROW,         // its first row in the step
  RK_SPAN_ROWS,        // number of rows
  RK_SPAN_POSITION,    // position of its first row in the sequence; row i is at position + i and sees itself
  RK_SPAN_TABLE,       // where its page ids begin in `tables`
  RK_SPAN_FIRST_PAGE,  // number in the sequence of the page that tables[RK_SPAN_TABLE] names; no row sees an earlier one
  RK_SPAN_COLUMNS
};

// K and V of one layer, in pages. Position p of a sequence whose page p / page_size is page `id` is row
// id * page_size + p % page_size; a row holds n_kv_heads * head_dim elements of `type`.
typedef struct rk_pages {
  void *k, *v;
  int type, page_size, n_kv_heads, head_dim;
  const int32_t *spans;  // [n_spans, RK_SPAN_COLUMNS]
  const int32_t *tables;
  int n_spans;
} rk_pages;

typedef struct rk_attend_job {
  rk_pages pages;
  int n_heads;      // query heads; head h reads KV head h / (n_heads / n_kv_heads)
  int window;       // positions that a row sees, itself included; 0: all
  int kv_heads;     // KV heads that a task of one row has, at most: all for few threads, 1 for many
  float scale;      // multiplies q
  const float *q;   // rows of n_heads * head_dim
  size_t q_stride;  // floats from one row of q to the next
  float *out;       // [rows, n_heads * head_dim]
  // Where spans of one row keep what each chunk of 1,024 positions gave, so that threads share a long sequence.
  // NULL: a span is one thread's. Else rk_attend_partials(job) * rk_partial_floats(...) floats, 64-byte aligned.
  float *partials;
  int32_t *finished;  // [n_spans, number of head parts], zero before the first task and after the last
} rk_attend_job;
