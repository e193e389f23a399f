// The nodes of products: their parameters, and what each thread does.
#include "graph.h"
#include "products/activations.h"
#include "products/layout.h"
#include "variant.h"

namespace {

constexpr int F32 = 0, I8 = 24;
constexpr int PARTS_PER_THREAD = 8;  // what a thread takes at a time is 1/8 of its share, so that none waits long

struct Quantize {
  rk_quantize_job job;
};

struct Product {
  Dealer dealer;
  rk_product_job job;
};
static_assert(sizeof(Product) <= RK_PARAMETER_BYTES && sizeof(Quantize) <= RK_PARAMETER_BYTES, "parameters");

size_t row_stride(const rk_tensor *tensor) { return tensor->nb[1] / sizeof(float); }

void compute_quantize(rk_tensor *dst, int ith, int nth, void *parameters) {
  rk_quantize_job job = ((Quantize *)parameters)->job;
  const rk_tensor *x = dst->src[0], *b = dst->src[1];
  job.x = (const float *)x->data;
  job.x_stride = row_stride(x);
  job.b = b == nullptr ? nullptr : (const float *)b->data;
  job.b_stride = b == nullptr ? 0 : row_stride(b);
  job.out = dst->data;
  rk_chosen()->quantize(&job, ith, nth);
}

void compute_product(rk_tensor *dst, int, int nth, void *parameters) {
  Product *product = (Product *)parameters;
  rk_product_job job = product->job;
  const rk_tensor *residual = dst->src[2];
  job.weights = dst->src[0]->data;
  job.activations = dst->src[1]->data;
  job.residual = residual == nullptr ? nullptr : (const float *)residual->data;
  job.residual_stride = residual == nullptr ? 0 : row_stride(residual);
  job.out = (float *)dst->data;
  const rk_variant *variant = rk_chosen();
  const rk_product_of multiply = activation_kind(job.type) == RK_PER_32 ? variant->blocks : variant->superblocks;
  const int64_t panels = (job.rows + RK_PANEL_ROWS - 1) / RK_PANEL_ROWS;
  const int64_t share = panels / (nth * PARTS_PER_THREAD);
  product->dealer.deal(panels, share > 0 ? share : 1, nth,
                       [&](int64_t first, int64_t end) { multiply(&job, first, end); });
}

}  // namespace

RK_API int rk_activation_kind(int type) { return activation_kind(type); }

RK_API size_t rk_activation_bytes(int kind, int64_t n, int64_t k) { return n * activation_row_bytes(kind, k); }

RK_API rk_tensor *rk_quantize(rk_graph *graph, void *ctx, int how, int kind, rk_tensor *x, rk_tensor *b, float eps) {
  Quantize *parameters = (Quantize *)rk_graph_parameters(graph);
  if (parameters == nullptr) return nullptr;
  rk_quantize_job &job = parameters->job;
  job.how = how;
  job.kind = kind;
  job.k = x->ne[0];
  job.n = x->ne[1];
  job.eps = eps;
  rk_node node = {I8, {(int64_t)rk_activation_bytes(kind, job.n, job.k), 1}, {x, b}, b == nullptr ? 1 : 2,
                  compute_quantize, parameters};
  return rk_graph_node(ctx, &node);
}

RK_API rk_tensor *rk_product(rk_graph *graph, void *ctx, int type, rk_tensor *w, int64_t rows, int64_t k,
                             rk_tensor *act, int64_t n, rk_tensor *residual) {
  Product *parameters = (Product *)rk_graph_parameters(graph);
  if (parameters == nullptr) return nullptr;
  rk_product_job &job = parameters->job;
  job.type = type;
  job.rows = rows;
  job.k = k;
  job.n = n;
  rk_node node = {F32, {rows, n}, {w, act, residual}, residual == nullptr ? 2 : 3, compute_product, parameters};
  return rk_graph_node(ctx, &node);
}
