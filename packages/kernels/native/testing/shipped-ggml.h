// The few functions of the shipped ggml (0.25.1) that the benches compare with, opened by dlopen.
#pragma once
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <string>

struct ggml_tensor {
  int type;
  void *buffer;
  int64_t ne[4];
  size_t nb[4];
  int op;
  int32_t op_params[16];
  int32_t flags;
  ggml_tensor *src[10];
  ggml_tensor *view_src;
  size_t view_offs;
  void *data;
  char name[64];
  void *extra;
  char padding[8];
};
static_assert(sizeof(ggml_tensor) == 336, "ggml 0.25.1");

struct ggml_init_params {
  size_t mem_size;
  void *mem_buffer;
  bool no_alloc;
};

struct Ggml {
  void *base, *cpu;
  void *backend;

  // `directory` holds libggml-base.so and libggml-cpu-NAME.so.
  Ggml(const std::string &directory, const std::string &name, int threads) {
    base = open(directory + "/libggml-base.so");
    cpu = open(directory + "/libggml-cpu-" + name + ".so");
    backend = from<void *()>(cpu, "ggml_backend_cpu_init")();
    from<void(void *, int)>(cpu, "ggml_backend_cpu_set_n_threads")(backend, threads);
  }
  ~Ggml() { get<void(void *)>("ggml_backend_free")(backend); }

  template <class F> F *get(const char *symbol) const { return from<F>(base, symbol); }

  void *context(int tensors) const {
    const size_t graph = get<size_t()>("ggml_graph_overhead")();
    return get<void *(ggml_init_params)>("ggml_init")({(size_t)tensors * 400 + graph, nullptr, true});
  }

  ggml_tensor *tensor(void *ctx, int type, int64_t a, int64_t b, int64_t c, int64_t d) const {
    return get<ggml_tensor *(void *, int, int64_t, int64_t, int64_t, int64_t)>("ggml_new_tensor_4d")(ctx, type, a, b, c, d);
  }

  void compute(void *graph) const { get<int(void *, void *)>("ggml_backend_graph_compute")(backend, graph); }

 private:
  static void *open(const std::string &path) {
    void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
    if (library == nullptr) fprintf(stderr, "%s\n", dlerror()), exit(1);
    return library;
  }

  template <class F> static F *from(void *library, const char *symbol) {
    void *address = dlsym(library, symbol);
    if (address == nullptr) fprintf(stderr, "%s\n", dlerror()), exit(1);
    return (F *)address;
  }
};
