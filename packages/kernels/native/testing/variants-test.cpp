// One answer from all variants: prints a hash of each case's result, and counts the variants whose bits differ from the
// first one's. Programs for other processors must print the same: compare their output with `diff`.
#include <math.h>
#include <stdio.h>

#include <string>

#include "../products/activations.h"
#include "../variant.h"
#include "pages-fixture.h"
#include "variants.h"

namespace {

int faults = 0;

// FNV-1a.
uint64_t hash_of(const void *bytes, size_t count) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < count; i++) hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
  return hash;
}

template <class T> uint64_t hash_of(const std::vector<T> &values) { return hash_of(values.data(), values.size() * sizeof(T)); }

// The hash of results with one NaN for all: its sign is the processor's.
uint64_t hash_with_nan(std::vector<float> values) {
  for (float &value : values) value = isnan(value) ? 1e30f : value;
  return hash_of(values);
}

// The hash of results, all of which must be numbers.
uint64_t hash_of_numbers(const std::vector<float> &values) {
  if (!std::all_of(values.begin(), values.end(), [](float value) { return isfinite(value); })) faults++, printf("FAULT: ");
  return hash_of(values);
}

// `compute` returns the hash of what the chosen variant computes.
template <class Compute> void compare(const std::string &name, Compute compute) {
  uint64_t first = 0;
  for (const std::string &variant : variants()) {
    rk_choose(variant.c_str());
    const uint64_t hash = compute();
    if (variant == variants()[0]) first = hash;
    if (hash != first && ++faults) fprintf(stderr, "FAULT: %s: %s has other bits\n", name.c_str(), variant.c_str());
  }
  printf("%s %016llx\n", name.c_str(), (unsigned long long)first);
}

// Random bytes in GGUF's layout, with scales that are numbers.
std::vector<uint8_t> random_weights(int type, int64_t rows, int64_t k, Draw &draw) {
  const Geometry form = geometry(type);
  std::vector<uint8_t> bytes(rows * (k / form.block_k) * form.block_bytes);
  for (uint8_t &byte : bytes) byte = (uint8_t)draw.below(256);
  const bool has_minimum = type == RK_Q4_1 || type == RK_Q4_K || type == RK_Q5_K;
  for (size_t at = type == RK_Q6_K ? 208 : 0; at < bytes.size(); at += form.block_bytes)
    for (int i = 0; i < (has_minimum ? 2 : 1); i++) {
      const uint16_t scale = to_f16(draw.below(9) == 0 ? 0.0f : draw.normal() * 0.01f);
      memcpy(&bytes[at + i * 2], &scale, sizeof scale);
    }
  return bytes;
}

struct Matrix {
  int64_t rows, k;
};

void check_products(int type, Matrix shape, int64_t n, int how, bool has_nan = false) {
  Draw draw((unsigned)(type * 1000 + n));
  const std::vector<uint8_t> weights = random_weights(type, shape.rows, shape.k, draw);
  std::vector<char> packed(rk_packed_bytes(type, shape.rows, shape.k));
  rk_pack(packed.data(), weights.data(), type, shape.rows, shape.k, 0, shape.rows);
  std::vector<float> x = draw.normals(n * shape.k, 2);
  const std::vector<float> residual = draw.normals(n * shape.rows);
  for (int64_t i = 3; has_nan && i < n * shape.k; i += 40) x[i] = NAN;
  const std::vector<float> b = draw.normals(how == RK_NORM ? shape.k : n * shape.k);
  const int kind = rk_activation_kind(type);
  std::vector<char> rows(rk_activation_bytes(kind, n, shape.k));
  std::vector<float> out(n * shape.rows);
  const size_t width = (size_t)shape.k;
  const rk_quantize_job quantize = {x.data(), b.data(), width, width, how, kind, n, shape.k, 1e-5f, rows.data()};
  const rk_product_job product = {type, packed.data(), rows.data(), residual.data(), (size_t)shape.rows, out.data(),
                                  shape.rows, shape.k, n};
  compare("product of type " + std::to_string(type) + ", " + std::to_string(shape.rows) + " x " + std::to_string(shape.k) +
              ", " + std::to_string(n) + " rows, " + std::to_string(how) + (has_nan ? ", NaN" : ""),
          [&] {
            for (int part = 0; part < 3; part++) rk_chosen()->quantize(&quantize, part, 3);
            (kind == RK_PER_32 ? rk_chosen()->blocks : rk_chosen()->superblocks)(&product, 0, parts(shape.rows, RK_PANEL_ROWS));
            return has_nan ? hash_with_nan(out) : hash_of_numbers(out);
          });
}

std::string name_of(const Shape &shape) {
  return "pages of type " + std::to_string(shape.type) + ", heads of " + std::to_string(shape.head_dim) + ", " +
         std::to_string(shape.n_heads) + "/" + std::to_string(shape.n_kv_heads) + ", window " + std::to_string(shape.window);
}

void check_attention(const Shape &shape) {
  PagesFixture pages(shape, {{0, 1}, {31, 1}, {32, 1}, {0, 33}, {1023, 1}, {1020, 9}, {2100, 1}});
  for (bool split : {false, true})
    compare("attention, " + name_of(shape) + (split ? ", split" : ""), [&] {
      const rk_attend_job job = pages.job(split, 2);
      std::fill(pages.out.begin(), pages.out.end(), NAN);
      rk_chosen()->attend(&job, 0, INT32_MAX);
      return hash_of_numbers(pages.out);
    });
}

void check_writing(const Shape &shape, int mode, int dims) {
  PagesFixture pages(shape, {{0, 20}, {77, 1}, {300, 3}});
  Draw draw(5);
  const size_t kv_width = (size_t)shape.n_kv_heads * shape.head_dim, width = (size_t)shape.n_heads * shape.head_dim;
  const std::vector<float> k = draw.normals(pages.rows * kv_width, 3), v = draw.normals(pages.rows * kv_width);
  const std::vector<float> rotations = draw.normals((int64_t)pages.rows * dims);
  rk_write_job job = {pages.job(false, 1).pages, shape.n_heads, mode, dims, pages.q.data(), k.data(), v.data(),
                      width, kv_width, kv_width, rotations.data(), pages.out.data()};
  compare("writing, " + name_of(shape) + ", rotation " + std::to_string(mode) + " of " + std::to_string(dims), [&] {
    std::fill(pages.k.begin(), pages.k.end(), 0);
    std::fill(pages.v.begin(), pages.v.end(), 0);
    rk_chosen()->write(&job, 0, pages.rows);
    return hash_of_numbers(pages.out) ^ hash_of(pages.k) * 3 ^ hash_of(pages.v) * 5;
  });
}

}  // namespace

int main() {
  for (int type : {RK_Q4_0, RK_Q4_1, RK_Q8_0, RK_Q4_K, RK_Q5_K, RK_Q6_K}) {
    const bool per_32 = rk_activation_kind(type) == RK_PER_32;
    for (const Matrix &shape : {Matrix{144, per_32 ? 1120 : 1280}, Matrix{23, per_32 ? 96 : 512}, Matrix{1, 256}})
      for (int64_t n = 1; n <= 33; n += n < 17 ? 1 : 8) check_products(type, shape, n, RK_PLAIN);
    for (int how : {RK_NORM, RK_SWIGLU})
      for (int64_t n : {1, 5, 17}) check_products(type, {40, 1280}, n, how);
    for (int64_t n : {1, 7}) check_products(type, {23, per_32 ? 96 : 512}, n, RK_PLAIN, true);
  }
  for (int type : {RK_PAGE_F32, RK_PAGE_F16, RK_PAGE_Q8_0})
    for (int head_dim : {64, 96, 128, 256})
      for (int group : {1, 2, 3, 4, 7}) {
        Shape shape;
        shape.type = type;
        shape.head_dim = head_dim;
        shape.n_kv_heads = 2;
        shape.n_heads = 2 * group;
        shape.window = group == 4 ? 50 : 0;
        check_attention(shape);
        check_writing(shape, RK_ROPE_NORM, group == 3 ? 22 : head_dim);
        check_writing(shape, RK_ROPE_NEOX, group == 3 ? 32 : head_dim);
      }
  fprintf(stderr, "%s: %d faults\n", rk_variants(), faults);
  return faults > 0;
}
