// gcc 12 takes the undefined operands in its own AVX-512 header for mistakes.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include "simd-avx512.h"

#include "attend.h"

void rk_attend_avx512_vnni(const rk_attend_job *job, int first, int end) { attend_pages(job, first, end); }
