// A variant computes everything with one set of instructions. Plain pointers: nothing here knows ggml.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct rk_attend_job;  // attention/job.h
struct rk_write_job;
struct rk_read_job;    // sampling/job.h

struct rk_quantize_job {
  const float *x, *b;           // [n, k]; b: see RK_NORM and RK_SWIGLU
  size_t x_stride, b_stride;    // floats from one row to the next
  int how, kind;
  int64_t n, k;
  float eps;
  void *out;
};

struct rk_product_job {
  int type;
  const void *weights;          // packed
  const void *activations;      // quantized
  const float *residual;        // [n, rows] or NULL
  size_t residual_stride;
  float *out;                   // [n, rows]
  int64_t rows, k, n;
};

// Part `ith` of `nth` equal parts.
typedef void (*rk_quantizer)(const rk_quantize_job *job, int ith, int nth);
// Panels [first, end) of RK_PANEL_ROWS rows of the weights.
typedef void (*rk_product_of)(const rk_product_job *job, int64_t first, int64_t end);
enum { RK_PANEL_ROWS = 128 };

struct rk_variant {
  const char *name;
  bool (*runs)();  // on this processor
  rk_quantizer quantize;
  rk_product_of blocks, superblocks;  // weights with a scale per 32 and per 256
  // Tasks [first, end), see attention/tasks.h.
  void (*attend)(const rk_attend_job *job, int first, int end);
  // Rows [first, end) of the step.
  void (*write)(const rk_write_job *job, int first, int end);
  // Requests [first, end); `copy` has memory for a row.
  void (*read_rows)(const rk_read_job *job, int64_t first, int64_t end, float *copy);
};

// Each is defined in a file that is compiled for its instructions.
void rk_quantize_avx2(const rk_quantize_job *job, int ith, int nth);
void rk_blocks_avx2(const rk_product_job *job, int64_t first, int64_t end);
void rk_superblocks_avx2(const rk_product_job *job, int64_t first, int64_t end);
void rk_attend_avx2(const rk_attend_job *job, int first, int end);
void rk_write_avx2(const rk_write_job *job, int first, int end);
void rk_read_rows_avx2(const rk_read_job *job, int64_t first, int64_t end, float *copy);
void rk_blocks_avx512_vnni(const rk_product_job *job, int64_t first, int64_t end);
void rk_superblocks_avx512_vnni(const rk_product_job *job, int64_t first, int64_t end);
void rk_blocks_amx_int8(const rk_product_job *job, int64_t first, int64_t end);
void rk_superblocks_amx_int8(const rk_product_job *job, int64_t first, int64_t end);
void rk_attend_avx512_vnni(const rk_attend_job *job, int first, int end);
void rk_read_rows_avx512_vnni(const rk_read_job *job, int64_t first, int64_t end, float *copy);

void rk_quantize_neon(const rk_quantize_job *job, int ith, int nth);
void rk_blocks_neon_dotprod(const rk_product_job *job, int64_t first, int64_t end);
void rk_superblocks_neon_dotprod(const rk_product_job *job, int64_t first, int64_t end);
void rk_attend_neon(const rk_attend_job *job, int first, int end);
void rk_write_neon(const rk_write_job *job, int first, int end);
void rk_read_rows_neon(const rk_read_job *job, int64_t first, int64_t end, float *copy);

// The one that rk_choose chose.
const rk_variant *rk_chosen(void);
