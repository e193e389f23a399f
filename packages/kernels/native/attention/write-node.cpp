// The nodes of RoPE and of the writing of K and V: their parameters, and what each thread does.
#include <math.h>

#include "../graph.h"
#include "../variant.h"
#include "tasks.h"

namespace {

constexpr int F32 = 0;
constexpr int PARTS_PER_THREAD = 8;

struct Rotations {
  Dealer dealer;
  rk_rope rope;
};

struct Write {
  Dealer dealer;
  rk_write_job job;
};
static_assert(sizeof(Write) <= RK_PARAMETER_BYTES && sizeof(Rotations) <= RK_PARAMETER_BYTES, "parameters");

size_t row_stride(const rk_tensor *tensor) { return tensor->nb[1] / sizeof(float); }

int64_t share_of(int64_t rows, int threads) { return rows / (threads * PARTS_PER_THREAD) + 1; }

// Angles by repeated multiplication in f32, as ggml has them: at far positions another way to compute them is another
// rotation.
void rotations_of(const rk_rope &rope, int position, const float *factors, float *out) {
  const float step = powf(rope.freq_base, -2.0f / rope.dims);
  const int half = rope.dims / 2;
  float angle = position;
  for (int i = 0; i < half; i++, angle *= step) {
    const float scaled = rope.freq_scale * (factors == nullptr ? angle : angle / factors[i]);
    out[i] = cosf(scaled);
    out[half + i] = sinf(scaled);
  }
}

void compute_rotations(rk_tensor *dst, int, int nth, void *parameters) {
  Rotations *rotations = (Rotations *)parameters;
  const int32_t *spans = (const int32_t *)dst->src[0]->data;
  const float *factors = dst->src[1] == nullptr ? nullptr : (const float *)dst->src[1]->data;
  const int n_spans = (int)dst->src[0]->ne[1];
  rotations->dealer.deal(dst->ne[1], share_of(dst->ne[1], nth), nth, [&](int64_t first, int64_t end) {
    for (int span = 0; span < n_spans; span++) {
      const int32_t *columns = spans + span * RK_SPAN_COLUMNS;
      const int start = columns[RK_SPAN_ROW], stop = start + columns[RK_SPAN_ROWS];
      for (int row = larger(start, (int)first); row < smaller(stop, (int)end); row++)
        rotations_of(rotations->rope, columns[RK_SPAN_POSITION] + row - start, factors,
                     (float *)dst->data + (size_t)row * rotations->rope.dims);
    }
  });
}

void compute_write(rk_tensor *dst, int, int nth, void *parameters) {
  Write *write = (Write *)parameters;
  rk_write_job job = write->job;
  const rk_tensor *q = dst->src[0], *k = dst->src[1], *v = dst->src[2];
  job.q = (const float *)q->data, job.q_stride = row_stride(q);
  job.k = (const float *)k->data, job.k_stride = row_stride(k);
  job.v = (const float *)v->data, job.v_stride = row_stride(v);
  job.pages.k = dst->src[3]->data;
  job.pages.v = dst->src[4]->data;
  job.pages.spans = (const int32_t *)dst->src[5]->data;
  job.pages.tables = (const int32_t *)dst->src[6]->data;
  job.rotations = (const float *)dst->src[7]->data;
  job.out = (float *)dst->data;
  write->dealer.deal(dst->ne[1], share_of(dst->ne[1], nth), nth,
                     [&](int64_t first, int64_t end) { rk_chosen()->write(&job, (int)first, (int)end); });
}

bool rotates(const rk_rope *rope, int head_dim) {
  const int unit = rope->mode == RK_ROPE_NEOX ? 16 : 2;
  return (rope->mode == RK_ROPE_NORM || rope->mode == RK_ROPE_NEOX) && rope->dims % unit == 0 && rope->dims <= head_dim;
}

}  // namespace

RK_API rk_tensor *rk_rotations(rk_graph *graph, void *ctx, const rk_rope *rope, rk_tensor *spans, int64_t rows,
                               rk_tensor *factors) {
  if (!rotates(rope, rope->dims)) return nullptr;
  Rotations *rotations = (Rotations *)rk_graph_parameters(graph);
  if (rotations == nullptr) return nullptr;
  rotations->rope = *rope;
  rk_node node = {F32, {rope->dims, rows}, {spans, factors}, factors == nullptr ? 1 : 2, compute_rotations, rotations};
  return rk_graph_node(ctx, &node);
}

RK_API rk_tensor *rk_write_kv(rk_graph *graph, void *ctx, const rk_attention *shape, const rk_rope *rope, rk_tensor *q,
                              rk_tensor *k, rk_tensor *v, rk_tensor *k_pages, rk_tensor *v_pages, rk_tensor *spans,
                              rk_tensor *tables, rk_tensor *rotations) {
  if (!rk_attends(shape) || !rotates(rope, shape->head_dim)) return nullptr;
  Write *write = (Write *)rk_graph_parameters(graph);
  if (write == nullptr) return nullptr;
  rk_write_job &job = write->job;
  job.pages = {nullptr,          nullptr, shape->type, shape->page_size, shape->n_kv_heads,
               shape->head_dim, nullptr, nullptr,     (int)spans->ne[1]};
  job.n_heads = shape->n_heads;
  job.mode = rope->mode;
  job.dims = rope->dims;
  const int64_t width = shape->n_heads * shape->head_dim;
  rk_node node = {F32, {width, q->ne[1]}, {q, k, v, k_pages, v_pages, spans, tables, rotations}, 8,
                  compute_write, write};
  return rk_graph_node(ctx, &node);
}
