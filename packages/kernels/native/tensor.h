// struct ggml_tensor of ggml 0.25.1. packages/ggml compares it with the ggml that was loaded.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct rk_tensor {
  int32_t type;
  void *buffer;
  int64_t ne[4];  // extents, innermost first
  size_t nb[4];   // bytes from one element, row, ... to the next
  int32_t op;
  int32_t op_params[16];
  int32_t flags;
  rk_tensor *src[10];
  rk_tensor *view_src;
  size_t view_offs;
  void *data;
  char name[64];
  void *extra;
  char padding[8];
};

static_assert(offsetof(rk_tensor, ne) == 16, "ne");
static_assert(offsetof(rk_tensor, nb) == 48, "nb");
static_assert(offsetof(rk_tensor, op_params) == 84, "op_params");
static_assert(offsetof(rk_tensor, src) == 152, "src");
static_assert(offsetof(rk_tensor, data) == 248, "data");
static_assert(sizeof(rk_tensor) == 336, "size");
