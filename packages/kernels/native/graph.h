// Nodes of ggml's graphs that call the kernels, and the parameters that they need while they are computed.
#pragma once
#include "team.h"

// Deals the parts [0, total) of a node out to the threads that compute it: a thread that is free takes the next ones.
struct Dealer {
  alignas(64) int64_t next;
  alignas(64) int32_t finished;

  // Calls compute(first, end) for `step` parts at a time. The last thread to leave makes it ready for the next time.
  template <class F> void deal(int64_t total, int64_t step, int threads, F compute) {
    for (;;) {
      const int64_t first = __atomic_fetch_add(&next, step, __ATOMIC_RELAXED);
      if (first >= total) break;
      compute(first, first + step < total ? first + step : total);
    }
    if (__atomic_add_fetch(&finished, 1, __ATOMIC_ACQ_REL) < threads) return;
    next = 0;
    __atomic_store_n(&finished, 0, __ATOMIC_RELEASE);
  }
};

// Zeroed memory for one node's parameters, at most RK_PARAMETER_BYTES, aligned to 64; NULL when the graph is full.
enum { RK_PARAMETER_BYTES = 512 };
void *rk_graph_parameters(rk_graph *graph);

// One node that computes `shape` (innermost first) of `type` from `sources`.
struct rk_node {
  int type;
  int64_t shape[2];
  rk_tensor *sources[10];
  int n_sources;
  rk_compute compute;
  void *parameters;
};
rk_tensor *rk_graph_node(void *ctx, rk_node *node);

// The f32 matrix [n, rows] (ne [rows, n]) that begins `offset` bytes into `whole`.
rk_tensor *rk_part(void *ctx, rk_tensor *whole, int64_t rows, int64_t n, size_t offset);
