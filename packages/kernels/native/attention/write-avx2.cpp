#include "../lanes-avx2.h"

#include "write-rows.h"

void rk_write_avx2(const rk_write_job *job, int first, int end) { write_rows(job, first, end); }
