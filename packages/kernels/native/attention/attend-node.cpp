// The node of attention: its parameters, and what each thread does.
#include "../graph.h"
#include "../variant.h"
#include "tasks.h"

namespace {

constexpr int F32 = 0;
constexpr int TASKS_PER_THREAD = 4;  // at least, where heads can be cut so finely, so that threads end together
constexpr int MOST_PARTS = 96;       // parts of heads of spans whose chunks may be different threads'

struct Attend {
  Dealer dealer;
  rk_attend_job job;
  uint16_t finished[MOST_PARTS];
};
static_assert(sizeof(Attend) <= RK_PARAMETER_BYTES, "parameters");

// Most chunks of the spans that have one row.
int64_t most_chunks(const rk_attention &shape, const rk_tensor *spans, const rk_tensor *tables) {
  const int64_t n_spans = spans->ne[1], positions = tables->ne[0] * shape.page_size;
  return n_spans > MOST_PARTS ? 0 : positions / CHUNK + 2 * n_spans;
}

// Several KV heads per task, unless that leaves threads idle. The result is the same.
void cut_heads(rk_attend_job *job, float *partials, int threads) {
  const int wanted = threads == 1 ? 1 : threads * TASKS_PER_THREAD;
  job->kv_heads = job->pages.n_kv_heads;
  for (;; job->kv_heads = parts_of(job->kv_heads, 2)) {
    job->partials = job->pages.n_spans * Cut(job, 1).parts <= MOST_PARTS ? partials : nullptr;
    if (job->kv_heads == 1 || TaskCursor(job).tasks() >= wanted) return;
  }
}

void compute_attend(rk_tensor *dst, int, int nth, void *parameters) {
  Attend *attend = (Attend *)parameters;
  rk_attend_job job = attend->job;
  const rk_tensor *q = dst->src[0];
  job.q = (const float *)q->data;
  job.q_stride = q->nb[1] / sizeof(float);
  job.pages.k = dst->src[1]->data;
  job.pages.v = dst->src[2]->data;
  job.pages.spans = (const int32_t *)dst->src[3]->data;
  job.pages.tables = (const int32_t *)dst->src[4]->data;
  job.out = (float *)dst->data;
  job.finished = attend->finished;
  cut_heads(&job, dst->ne[1] == q->ne[1] ? nullptr : job.out + q->ne[1] * dst->ne[0], nth);
  attend->dealer.deal(TaskCursor(&job).tasks(), 1, nth,
                      [&](int64_t first, int64_t end) { rk_chosen()->attend(&job, (int)first, (int)end); });
}

}  // namespace

RK_API int rk_attends(const rk_attention *shape) {
  const int unit = shape->type == RK_PAGE_Q8_0 ? 32 : 16;
  const bool typed = shape->type == RK_PAGE_F32 || shape->type == RK_PAGE_F16 || shape->type == RK_PAGE_Q8_0;
  return typed && shape->head_dim >= unit && shape->head_dim <= MAX_DIM && shape->head_dim % unit == 0 &&
         shape->n_kv_heads > 0 && shape->n_heads % shape->n_kv_heads == 0 && shape->page_size > 0;
}

RK_API rk_tensor *rk_attend(rk_graph *graph, void *ctx, const rk_attention *shape, rk_tensor *q, rk_tensor *k,
                            rk_tensor *v, rk_tensor *spans, rk_tensor *tables, rk_tensor *written) {
  if (!rk_attends(shape)) return nullptr;
  Attend *attend = (Attend *)rk_graph_parameters(graph);
  if (attend == nullptr) return nullptr;
  attend->job.pages = {nullptr,          nullptr,         shape->type, shape->page_size, shape->n_kv_heads,
                       shape->head_dim, nullptr,         nullptr,     (int)spans->ne[1]};
  attend->job.n_heads = shape->n_heads;
  attend->job.window = shape->window;
  attend->job.scale = shape->scale;
  const int64_t width = shape->n_heads * shape->head_dim, rows = q->ne[1];
  const int64_t partials = most_chunks(*shape, spans, tables) * shape->n_heads * (shape->head_dim + 16);
  rk_node node = {F32, {width, rows + (partials + width - 1) / width}, {q, k, v, spans, tables, written},
                  written == nullptr ? 5 : 6, compute_attend, attend};
  rk_tensor *whole = rk_graph_node(ctx, &node);
  return partials == 0 ? whole : rk_part(ctx, whole, width, rows, 0);
}
