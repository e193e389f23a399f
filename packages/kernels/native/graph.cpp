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

// What precedes a node's parameters in memory.
struct alignas(64) Header {
  rk_team *team;
  rk_compute compute;
};

struct Slot {
  Header header;
  char parameters[RK_PARAMETER_BYTES];
};

// What ggml calls on every thread that it computes the graph with; with one thread, the team computes the node.
void compute_node(rk_tensor *dst, int ith, int nth, void *parameters) {
  const Header *header = (const Header *)parameters - 1;
  if (nth == 1 && header->team != nullptr) rk_team_compute(header->team, {dst, header->compute, parameters});
  else header->compute(dst, ith, nth, parameters);
}

}  // namespace

struct rk_graph {
  int used, most;
  rk_team *team;
  Slot *slots;
};

RK_API int rk_abi(void) { return 2; }

RK_API size_t rk_tensor_size(void) { return sizeof(rk_tensor); }

RK_API void rk_bind(void *ggml_custom_4d, void *ggml_view_2d) {
  custom = (Custom)ggml_custom_4d;
  view = (View)ggml_view_2d;
}

RK_API rk_graph *rk_graph_new(int most_nodes, rk_team *team) {
  rk_graph *graph = (rk_graph *)malloc(sizeof(rk_graph));
  Slot *slots = (Slot *)aligned_alloc(alignof(Slot), (size_t)(most_nodes > 0 ? most_nodes : 1) * sizeof(Slot));
  if (graph == nullptr || slots == nullptr) {
    free(graph);
    free(slots);
    return nullptr;
  }
  *graph = {0, most_nodes, team, slots};
  return graph;
}

RK_API void rk_graph_reset(rk_graph *graph) { graph->used = 0; }

RK_API void rk_graph_free(rk_graph *graph) {
  if (graph == nullptr) return;
  free(graph->slots);
  free(graph);
}

void *rk_graph_parameters(rk_graph *graph) {
  if (graph->used == graph->most) return nullptr;
  Slot &slot = graph->slots[graph->used++];
  slot.header.team = graph->team;
  return memset(slot.parameters, 0, RK_PARAMETER_BYTES);
}

rk_tensor *rk_graph_node(void *ctx, rk_node *node) {
  ((Header *)node->parameters - 1)->compute = node->compute;
  return custom(ctx, node->type, node->shape[0], node->shape[1], 1, 1, node->sources, node->n_sources, compute_node,
                TASKS_MAX, node->parameters);
}

rk_tensor *rk_part(void *ctx, rk_tensor *whole, int64_t rows, int64_t n, size_t offset) {
  return view(ctx, whole, rows, n, (size_t)rows * sizeof(float), offset);
}
