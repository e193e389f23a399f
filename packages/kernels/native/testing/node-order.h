// Tells ThreadSanitizer what it can't see: the shipped ggml, which is compiled without it, lets no thread begin a node
// before all have ended the one before. Within a node nothing is told, so that races between its threads show.
#pragma once
#include <stdint.h>

#include <deque>

#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#else
static inline void __tsan_acquire(void *) {}
static inline void __tsan_release(void *) {}
#endif

struct ggml_tensor;

class NodeOrder {
 public:
  using Compute = void (*)(ggml_tensor *, int, int, void *);
  using Custom4d = ggml_tensor *(*)(void *, int, int64_t, int64_t, int64_t, int64_t, ggml_tensor **, int, Compute, int,
                                    void *);

  // What the kernels get in place of `custom_4d`: their nodes follow each other in the order in which they are made.
  static void *wrap(void *custom_4d) {
    original_ = (Custom4d)custom_4d;
    return (void *)make;
  }
  // Around the computation of a graph, on the thread that fills its inputs and reads its results.
  static void begin() { __tsan_release(&start_); }
  static void end() {
    for (Node &node : nodes_) __tsan_acquire(&node);
  }

 private:
  struct Node {
    Compute compute;
    void *userdata;
    void *before;
  };

  static ggml_tensor *make(void *ctx, int type, int64_t a, int64_t b, int64_t c, int64_t d, ggml_tensor **args, int n,
                           Compute compute, int tasks, void *userdata) {
    void *before = nodes_.empty() ? &start_ : (void *)&nodes_.back();
    nodes_.push_back({compute, userdata, before});
    return original_(ctx, type, a, b, c, d, args, n, run, tasks, &nodes_.back());
  }

  static void run(ggml_tensor *tensor, int ith, int nth, void *of) {
    Node *node = (Node *)of;
    __tsan_acquire(&start_);
    __tsan_acquire(node->before);
    node->compute(tensor, ith, nth, node->userdata);
    __tsan_release(node);
  }

  static inline Custom4d original_;
  static inline std::deque<Node> nodes_;
  static inline char start_;
};
