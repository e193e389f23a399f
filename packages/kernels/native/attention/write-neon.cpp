#include "../lanes-neon.h"

#include "write-rows.h"

void rk_write_neon(const rk_write_job *job, int first, int end) { write_rows(job, first, end); }
