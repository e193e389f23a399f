// Teams of threads: every share is computed once, nodes follow each other, and no thread is waited for that has begun
// nothing. Run it under ThreadSanitizer.
#include "../team.h"

#include <stdio.h>
#include <time.h>

#include <vector>

namespace {

constexpr int NODES = 20000, MOST_THREADS = 16;

// What a node checks and leaves to the next one. Plain memory: what orders it is the team.
struct Node {
  const Node *before;
  int64_t number;
  int nth;
  int64_t computed[MOST_THREADS][8];  // the number, by each share; a cache line each

  bool is_whole() const {
    for (int i = 0; i < nth; i++)
      if (computed[i][0] != number) return false;
    return true;
  }
};

int faults = 0;

void compute(rk_tensor *, int ith, int nth, void *parameters) {
  Node *node = (Node *)parameters;
  if (nth != node->nth || !node->before->is_whole() || node->computed[ith][0] == node->number)
    __atomic_add_fetch(&faults, 1, __ATOMIC_RELAXED);
  // Some shares of some nodes take long, so that others sleep meanwhile.
  const timespec while_others_wait = {0, 300000};
  if ((node->number * 7 + ith) % 4999 == 0) nanosleep(&while_others_wait, nullptr);
  node->computed[ith][0] = node->number;
}

void check(int threads) {
  rk_team *team = rk_team_new(threads);
  Node nodes[2] = {{&nodes[1], 0, threads, {}}, {&nodes[0], 0, threads, {}}};
  for (int64_t number = 1; number <= NODES; number++) {
    Node &node = nodes[number % 2];
    node.number = number;
    rk_team_compute(team, {nullptr, compute, &node});
    if (!node.is_whole()) faults++;
    // Now and then long enough for the helpers to go to sleep.
    const timespec pause = {0, 100000};
    if (number % 997 == 0) nanosleep(&pause, nullptr);
  }
  rk_team_free(team);
}

}  // namespace

int main() {
  for (int threads : {1, 2, 3, 8, MOST_THREADS}) {
    check(threads);
    rk_team_free(rk_team_new(threads));  // before it has computed anything
  }
  printf("%d faults\n", faults);
  return faults > 0;
}
