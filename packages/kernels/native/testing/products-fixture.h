// Products by the kernels and by the shipped ggml, as graphs of ggml that run in one process.
#pragma once
#include <math.h>
#include <string.h>

#include <random>
#include <string>
#include <vector>

#include "../kernels.h"
#include "node-order.h"
#include "shipped-ggml.h"

enum { F32 = 0, I8 = 24 };

// Weights [rows, k] in GGUF's layout, with what they stand for.
struct Weights {
  int type;
  int64_t rows, k;
  std::vector<char> bytes;
  std::vector<float> values;
};

struct Graph {
  void *ctx, *graph, *buffer = nullptr;
  const Ggml &ggml;

  explicit Graph(const Ggml &ggml) : ggml(ggml) {
    ctx = ggml.context(16);
    graph = ggml.get<void *(void *)>("ggml_new_graph")(ctx);
  }
  ~Graph() {
    if (buffer != nullptr) ggml.get<void(void *)>("ggml_backend_buffer_free")(buffer);
    ggml.get<void(void *)>("ggml_free")(ctx);
  }
  void allocate() {
    void *type = ggml.get<void *(void *)>("ggml_backend_get_default_buffer_type")(ggml.backend);
    buffer = ggml.get<void *(void *, void *)>("ggml_backend_alloc_ctx_tensors_from_buft")(ctx, type);
  }
  void expand(ggml_tensor *result) { ggml.get<void(void *, void *)>("ggml_build_forward_expand")(graph, result); }
  void compute() { ggml.compute(graph); }
};

// Weights that ggml multiplies by, in the form that it computes fastest with.
struct GgmlWeights {
  void *ctx, *buffer;
  ggml_tensor *tensor;
  const Ggml &ggml;

  GgmlWeights(const Ggml &ggml, const Weights &w, void *buffer_type) : ggml(ggml) {
    ctx = ggml.context(2);
    tensor = ggml.tensor(ctx, w.type, w.k, w.rows, 1, 1);
    buffer = ggml.get<void *(void *, void *)>("ggml_backend_alloc_ctx_tensors_from_buft")(ctx, buffer_type);
    ggml.get<void(void *, const void *, size_t, size_t)>("ggml_backend_tensor_set")(tensor, w.bytes.data(), 0, w.bytes.size());
  }
  ~GgmlWeights() {
    ggml.get<void(void *)>("ggml_backend_buffer_free")(buffer);
    ggml.get<void(void *)>("ggml_free")(ctx);
  }
};

struct TypeTraits {
  const char *name;
  int64_t block, interleaved;
  size_t bytes;
  bool quantized;
  void (*to_float)(const void *, float *, int64_t);
};

static inline const TypeTraits *traits(const Ggml &ggml, int type) {
  return ggml.get<const TypeTraits *(int)>("ggml_get_type_traits")(type);
}

static inline void dequantize(const Ggml &ggml, Weights &w) {
  w.values.resize(w.rows * w.k);
  traits(ggml, w.type)->to_float(w.bytes.data(), w.values.data(), w.rows * w.k);
}

static inline std::vector<float> normal(int64_t count, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> draw(0, scale);
  std::vector<float> values(count);
  for (float &v : values) v = draw(random);
  return values;
}

static inline Weights random_weights(const Ggml &ggml, int type, int64_t rows, int64_t k, unsigned seed) {
  Weights w = {type, rows, k, {}, {}};
  w.bytes.resize(ggml.get<size_t(int, int64_t)>("ggml_row_size")(type, k) * rows);
  const std::vector<float> values = normal(rows * k, seed, 0.02f);
  ggml.get<size_t(int, const float *, void *, int64_t, int64_t, int64_t, const float *)>("ggml_quantize_chunk")(
      type, values.data(), w.bytes.data(), 0, rows, k, nullptr);
  dequantize(ggml, w);
  return w;
}

// One product by the kernels: quantize and multiply.
struct KernelProduct {
  Graph graph;
  rk_graph *nodes;
  ggml_tensor *weights, *x, *b, *residual, *result;

  KernelProduct(const Ggml &ggml, const Weights &w, int64_t n, int how = RK_PLAIN, bool adds = false,
                rk_team *team = nullptr)
      : graph(ggml) {
    nodes = rk_graph_new(2, team);
    weights = ggml.tensor(graph.ctx, I8, rk_packed_bytes(w.type, w.rows, w.k), 1, 1, 1);
    x = ggml.tensor(graph.ctx, F32, w.k, n, 1, 1);
    b = how == RK_PLAIN ? nullptr : ggml.tensor(graph.ctx, F32, w.k, how == RK_NORM ? 1 : n, 1, 1);
    residual = adds ? ggml.tensor(graph.ctx, F32, w.rows, n, 1, 1) : nullptr;
    rk_tensor *act = rk_quantize(nodes, graph.ctx, how, rk_activation_kind(w.type), (rk_tensor *)x, (rk_tensor *)b, 1e-5f);
    result = (ggml_tensor *)rk_product(nodes, graph.ctx, w.type, (rk_tensor *)weights, w.rows, w.k, act, n,
                                       (rk_tensor *)residual);
    graph.expand(result);
    graph.allocate();
    rk_pack(weights->data, w.bytes.data(), w.type, w.rows, w.k, 0, w.rows);
  }
  ~KernelProduct() { rk_graph_free(nodes); }

  std::vector<float> operator()(const std::vector<float> &input) {
    memcpy(x->data, input.data(), input.size() * sizeof(float));
    NodeOrder::begin();
    graph.compute();
    NodeOrder::end();
    const float *out = (const float *)result->data;
    return std::vector<float>(out, out + result->ne[0] * result->ne[1]);
  }
};

// The same by ggml.
struct GgmlProduct {
  Graph graph;
  ggml_tensor *x, *result;

  GgmlProduct(const Ggml &ggml, const GgmlWeights &w, int64_t n) : graph(ggml) {
    x = ggml.tensor(graph.ctx, F32, w.tensor->ne[0], n, 1, 1);
    result = ggml.get<ggml_tensor *(void *, ggml_tensor *, ggml_tensor *)>("ggml_mul_mat")(graph.ctx, w.tensor, x);
    graph.expand(result);
    graph.allocate();
  }
  std::vector<float> operator()(const std::vector<float> &input) {
    memcpy(x->data, input.data(), input.size() * sizeof(float));
    graph.compute();
    const float *out = (const float *)result->data;
    return std::vector<float>(out, out + result->ne[0] * result->ne[1]);
  }
};
