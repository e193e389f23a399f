#include "graph.h"

#include <stdlib.h>
#include <string.h>

namespace {

constexpr int TASKS_MAX = -1;  // GGML_N_TASKS_MAX: every thread of the pool

typedef rk_tensor *(*Custom)(void *ctx, int type, int64_t ne0, int64_t ne1, int64_t ne2, int64_t ne3,
                             rk_tensor **sources, int n_sources, rk_compute compute, int tasks, void *parameters);
Custom custom;

typedef rk_tensor *(*View)(void *ctx, rk_tensor *of, int64_t ne0, int64_t ne1, size_t nb1, size_t offset);
View view;

}  // namespace

struct rk_graph {
  int used, most;
  char *parameters;
};

RK_API int rk_abi(void) { return 1; }

RK_API size_t rk_tensor_size(void) { return sizeof(rk_tensor); }

RK_API void rk_bind(void *ggml_custom_4d, void *ggml_view_2d) {
  custom = (Custom)ggml_custom_4d;
  view = (View)ggml_view_2d;
}

RK_API rk_graph *rk_graph_new(int most_nodes) {
  rk_graph *graph = (rk_graph *)malloc(sizeof(rk_graph));
  void *parameters = aligned_alloc(64, (size_t)(most_nodes > 0 ? most_nodes : 1) * RK_PARAMETER_BYTES);
  if (graph == nullptr || parameters == nullptr) {
    free(graph);
    free(parameters);
    return nullptr;
  }
  *graph = {0, most_nodes, (char *)parameters};
  return graph;
}

RK_API void rk_graph_reset(rk_graph *graph) { graph->used = 0; }

RK_API void rk_graph_free(rk_graph *graph) {
  if (graph == nullptr) return;
  free(graph->parameters);
  free(graph);
}

void *rk_graph_parameters(rk_graph *graph) {
  if (graph->used == graph->most) return nullptr;
  return memset(graph->parameters + (size_t)graph->used++ * RK_PARAMETER_BYTES, 0, RK_PARAMETER_BYTES);
}

rk_tensor *rk_graph_node(void *ctx, rk_node *node) {
  return custom(ctx, node->type, node->shape[0], node->shape[1], 1, 1, node->sources, node->n_sources, node->compute,
                TASKS_MAX, node->parameters);
}

rk_tensor *rk_part(void *ctx, rk_tensor *whole, int64_t rows, int64_t n, size_t offset) {
  return view(ctx, whole, rows, n, (size_t)rows * sizeof(float), offset);
}
