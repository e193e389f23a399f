#include "byte-sums-neon.h"

#include "quantize-rows.h"

void rk_quantize_neon(const rk_quantize_job *job, int ith, int nth) { quantize(job, ith, nth); }
