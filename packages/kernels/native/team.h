// Threads that compute nodes together, and wait only for work that has begun.
//
// The thread that computes a graph offers each node in as many shares as the team has threads. It and the helpers take
// shares until none is left, and it goes on when all of them have ended. So a helper that Linux has taken off its core
// holds nobody up unless it was within a share, and even then others have taken the rest. Threads of ggml meet at a
// barrier behind each node instead, where all spin until the last has come.
#pragma once
#include "kernels.h"
#include "tensor.h"

// What a node does on a thread: share `ith` of `nth`. Each share is computed once; one thread may compute several.
typedef void (*rk_compute)(rk_tensor *dst, int ith, int nth, void *parameters);

struct rk_work {
  rk_tensor *dst;
  rk_compute compute;
  void *parameters;
};

// Computes all shares. One thread at a time may call this.
void rk_team_compute(rk_team *team, const rk_work &work);
