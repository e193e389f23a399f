#include "../lanes-neon.h"

#include "simd-eight.h"

#include "attend.h"

void rk_attend_neon(const rk_attend_job *job, int first, int end) { attend_pages(job, first, end); }
