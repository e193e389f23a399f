// What a variant reads of rows of logits; see rk_row_request and rk_row_reading in kernels.h.
#pragma once
#include "../kernels.h"

struct rk_read_job {
  const float *logits;  // [rows, n]
  int64_t n;
  const rk_row_request *requests;
  rk_row_reading *readings;
  rk_alternative *alternatives;  // most_alternatives of each request
  int64_t most_alternatives;
};
