#include "simd-avx512.h"

#include "attend.h"

extern "C" void rk_attend_avx512(const rk_attend_job *job, int first, int end) { attend_pages(job, first, end); }
