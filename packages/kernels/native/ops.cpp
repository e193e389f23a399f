// The nodes of products: their parameters, and what each thread does.
#include "graph.h"
#include "products/activations.h"
#include "products/layout.h"
#include "variant.h"

namespace {

constexpr int F32 = 0, I8 = 24;
constexpr int PARTS_PER_THREAD = 8;  // what a thread takes at a time is 1/8 of its share, so that none waits long

struct Products {
  Dealer dealer;
  int count;
  rk_product_job jobs[RK_MOST_PRODUCTS];
};
static_assert(sizeof(Products) <= RK_PARAMETER_BYTES && sizeof(rk_quantize_job) <= RK_PARAMETER_BYTES, "parameters");

size_t row_stride(const rk_tensor *tensor) { return tensor->nb[1] / sizeof(float); }

void compute_quantize(rk_tensor *dst, int ith, int nth, void *parameters) {
  rk_quantize_job job = *(const rk_quantize_job *)parameters;
  const rk_tensor *x = dst->src[0], *b = dst->src[1];
  job.x = (const float *)x->data;
  job.x_stride = row_stride(x);
  job.b = b == nullptr ? nullptr : (const float *)b->data;
  job.b_stride = b == nullptr ? 0 : row_stride(b);
  job.out = dst->data;
  rk_chosen()->quantize(&job, ith, nth);
}

// Where each product of a node begins and ends, counted in panels from the first product on.
struct Work {
  rk_product_job jobs[RK_MOST_PRODUCTS];
  int64_t begins[RK_MOST_PRODUCTS + 1] = {};
  int count;

  // Sources: the rows, each product's weights, and the residual if there is one.
  Work(const rk_tensor *dst, const Products &products) : count(products.count) {
    float *out = (float *)dst->data;
    for (int i = 0; i < count; i++) {
      rk_product_job &job = jobs[i] = products.jobs[i];
      job.activations = dst->src[0]->data;
      job.weights = dst->src[1 + i]->data;
      job.out = out;
      out += job.n * job.rows;
      begins[i + 1] = begins[i] + (job.rows + RK_PANEL_ROWS - 1) / RK_PANEL_ROWS;
    }
    const rk_tensor *residual = dst->src[1 + count];
    if (residual == nullptr) return;
    jobs[0].residual = (const float *)residual->data;
    jobs[0].residual_stride = row_stride(residual);
  }

  int64_t panels() const { return begins[count]; }

  // Panels [first, end), which may be of several products.
  void compute(int64_t first, int64_t end) const {
    const rk_variant *variant = rk_chosen();
    for (int i = 0; i < count; i++) {
      const int64_t from = first > begins[i] ? first : begins[i], to = least(end, begins[i + 1]);
      if (from >= to) continue;
      const bool per_32 = activation_kind(jobs[i].type) == RK_PER_32;
      const rk_product_of multiply = per_32 ? variant->blocks : variant->superblocks;
      multiply(&jobs[i], from - begins[i], to - begins[i]);
    }
  }
};

void compute_products(rk_tensor *dst, int, int nth, void *parameters) {
  Products *products = (Products *)parameters;
  const Work work(dst, *products);
  const int64_t share = work.panels() / (nth * PARTS_PER_THREAD);
  products->dealer.deal(work.panels(), share > 0 ? share : 1, nth,
                        [&](int64_t first, int64_t end) { work.compute(first, end); });
}

rk_tensor *products_node(rk_graph *graph, void *ctx, int count, const int32_t *types, rk_tensor *const *w,
                         const int64_t *rows, int64_t k, rk_tensor *act, int64_t n, rk_tensor *residual) {
  Products *parameters = (Products *)rk_graph_parameters(graph);
  if (parameters == nullptr) return nullptr;
  parameters->count = count;
  // One product keeps its shape; several lie one after another.
  rk_node node = {F32, {count == 1 ? rows[0] : 0, count == 1 ? n : 1}, {act}, 1, compute_products, parameters};
  for (int i = 0; i < count; i++) {
    rk_product_job &job = parameters->jobs[i];
    job.type = types[i];
    job.rows = rows[i];
    job.k = k;
    job.n = n;
    if (count > 1) node.shape[0] += n * rows[i];
    node.sources[node.n_sources++] = w[i];
  }
  if (residual != nullptr) node.sources[node.n_sources++] = residual;
  return rk_graph_node(ctx, &node);
}

}  // namespace

RK_API int rk_activation_kind(int type) { return activation_kind(type); }

RK_API size_t rk_activation_bytes(int kind, int64_t n, int64_t k) { return n * activation_row_bytes(kind, k); }

RK_API rk_tensor *rk_quantize(rk_graph *graph, void *ctx, int how, int kind, rk_tensor *x, rk_tensor *b, float eps) {
  rk_quantize_job *job = (rk_quantize_job *)rk_graph_parameters(graph);
  if (job == nullptr) return nullptr;
  job->how = how;
  job->kind = kind;
  job->k = x->ne[0];
  job->n = x->ne[1];
  job->eps = eps;
  rk_node node = {I8, {(int64_t)rk_activation_bytes(kind, job->n, job->k), 1}, {x, b}, b == nullptr ? 1 : 2,
                  compute_quantize, job};
  return rk_graph_node(ctx, &node);
}

RK_API rk_tensor *rk_product(rk_graph *graph, void *ctx, int type, rk_tensor *w, int64_t rows, int64_t k,
                             rk_tensor *act, int64_t n, rk_tensor *residual) {
  return products_node(graph, ctx, 1, &type, &w, &rows, k, act, n, residual);
}

RK_API int rk_products(rk_graph *graph, void *ctx, int count, const int32_t *types, rk_tensor *const *w,
                       const int64_t *rows, int64_t k, rk_tensor *act, int64_t n, rk_tensor **results) {
  if (count < 1 || count > RK_MOST_PRODUCTS) return -1;
  rk_tensor *node = products_node(graph, ctx, count, types, w, rows, k, act, n, nullptr);
  if (node == nullptr) return -1;
  size_t offset = 0;
  for (int i = 0; i < count; i++, offset += (size_t)n * rows[i - 1] * sizeof(float))
    results[i] = rk_part(ctx, node, rows[i], n, offset);
  return 0;
}
