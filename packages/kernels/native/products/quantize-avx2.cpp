#include "byte-sums-avx2.h"

#include "quantize-rows.h"

void rk_quantize_avx2(const rk_quantize_job *job, int ith, int nth) { quantize(job, ith, nth); }
