// The node that reads rows of logits.
#include "../graph.h"
#include "../variant.h"
#include "job.h"

namespace {

constexpr int I8 = 24;

struct Read {
  Dealer dealer;
  const rk_tensor *logits;
  int64_t requests, most_alternatives;
  int threads;
};
static_assert(sizeof(Read) <= RK_PARAMETER_BYTES, "parameters");
static_assert(sizeof(rk_row_request) == 152 && sizeof(rk_row_reading) == 32, "as packages/ggml writes and reads them");

// A thread's copy of a row begins at a cache line of its own.
int64_t copy_bytes(int64_t n) { return (n * (int64_t)sizeof(float) + 63) / 64 * 64; }

int64_t readings_bytes(int64_t requests, int64_t most_alternatives) {
  const int64_t each = sizeof(rk_row_reading) + most_alternatives * sizeof(rk_alternative);
  return (requests * each + 63) / 64 * 64;
}

void compute_read(rk_tensor *dst, int ith, int nth, void *parameters) {
  Read *read = (Read *)parameters;
  rk_read_job job = {(const float *)read->logits->data, read->logits->ne[0], (const rk_row_request *)dst->src[0]->data,
                     (rk_row_reading *)dst->data, nullptr, read->most_alternatives};
  job.alternatives = (rk_alternative *)(job.readings + read->requests);
  char *copies = (char *)dst->data + readings_bytes(read->requests, read->most_alternatives);
  float *copy = (float *)(copies + ith * copy_bytes(job.n));
  // A thread without memory for a copy leaves the rows to the others.
  read->dealer.deal(ith < read->threads ? read->requests : 0, 1, nth,
                    [&](int64_t first, int64_t end) { rk_chosen()->read_rows(&job, first, end, copy); });
}

}  // namespace

RK_API rk_tensor *rk_read_rows(rk_graph *graph, void *ctx, rk_tensor *logits, rk_tensor *requests,
                               int64_t most_alternatives, int threads) {
  Read *read = (Read *)rk_graph_parameters(graph);
  if (read == nullptr || threads < 1) return nullptr;
  read->logits = logits;
  read->requests = requests->ne[0] / (int64_t)sizeof(rk_row_request);
  read->most_alternatives = most_alternatives;
  read->threads = threads;
  const int64_t bytes = readings_bytes(read->requests, most_alternatives) + threads * copy_bytes(logits->ne[0]);
  rk_node node = {I8, {bytes, 1}, {requests}, 1, compute_read, read};
  return rk_graph_node(ctx, &node);
}
