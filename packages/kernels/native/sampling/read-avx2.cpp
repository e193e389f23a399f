#include "../variant.h"
namespace {
constexpr int LANES = 4;
}
#include "read.h"

void rk_read_rows_avx2(const rk_read_job *job, int64_t first, int64_t end, float *copy) {
  read_rows(job, first, end, copy);
}
