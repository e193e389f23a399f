// Random pages of random sequences, for the tests and the bench of attention.
#pragma once
#include <math.h>
#include <string.h>

#include <algorithm>
#include <vector>

#include "../attention/job.h"
#include "draw.h"

struct Shape {
  int head_dim = 128, n_heads = 32, n_kv_heads = 8, page_size = 32, type = RK_PAGE_F16, window = 0;
};

struct TestSpan {
  int position, rows;
};

inline size_t row_bytes(int type, size_t elements) {
  return type == RK_PAGE_F32 ? elements * 4 : type == RK_PAGE_F16 ? elements * 2 : elements / 32 * 34;
}

// Owns everything a job points to. Sequences hold all pages up to their last position; the rest of the memory is NaN.
struct PagesFixture {
  Shape shape;
  std::vector<TestSpan> list;
  std::vector<int32_t> spans, tables;
  std::vector<uint16_t> finished;
  std::vector<uint8_t> k, v;
  std::vector<float> q, out, partials;
  int rows = 0, pages = 0;

  PagesFixture(Shape shape, std::vector<TestSpan> list, unsigned seed = 1) : shape(shape), list(list), draw_(seed) {
    for (const auto &[position, count] : list) {
      const int first = shape.window == 0 ? 0 : std::max(0, position - shape.window + 1) / shape.page_size;
      const int last = (position + count - 1) / shape.page_size;
      for (int32_t column : {rows, count, position, (int)tables.size(), first}) spans.push_back(column);
      for (int page = first; page <= last; page++) tables.push_back(pages++);
      rows += count;
    }
    pages += 2;
    shuffle_pages();
    const size_t elements = (size_t)shape.n_kv_heads * shape.head_dim;
    k.assign(row_bytes(shape.type, elements) * pages * shape.page_size, 0xff);
    v = k;
    for (size_t i = 0; i < list.size(); i++) fill(i);
    for (int i = 0; i < rows * shape.n_heads * shape.head_dim; i++) q.push_back(draw_.normal() * 1.5f);
    out.assign(q.size(), NAN);
    int chunks = 0;
    for (const auto &span : list) chunks += span.position / 1024 + 1;
    partials.assign((size_t)chunks * shape.n_heads * (shape.head_dim + 16), NAN);
    finished.assign(list.size() * shape.n_heads, 0);
  }

  rk_attend_job job(bool split, int kv_heads) {
    rk_attend_job job{};
    job.pages = {k.data(),      v.data(),     shape.type,   shape.page_size, shape.n_kv_heads, shape.head_dim,
                 spans.data(), tables.data(), (int)list.size()};
    job.n_heads = shape.n_heads;
    job.window = shape.window;
    job.kv_heads = kv_heads;
    job.scale = 1 / sqrtf((float)shape.head_dim);
    job.q = q.data();
    job.q_stride = (size_t)shape.n_heads * shape.head_dim;
    job.out = out.data();
    job.partials = split ? partials.data() : nullptr;
    job.finished = finished.data();
    return job;
  }

  // Element d of K or V of a KV head at a position of span i.
  float element(const std::vector<uint8_t> &of, int i, int position, int kv_head, int d) const {
    const size_t elements = (size_t)shape.n_kv_heads * shape.head_dim, at = (size_t)kv_head * shape.head_dim + d;
    const uint8_t *row = &of[row_of(i, position) * row_bytes(shape.type, elements)];
    if (shape.type == RK_PAGE_F32) return ((const float *)row)[at];
    if (shape.type == RK_PAGE_F16) return from_f16(((const uint16_t *)row)[at]);
    const uint8_t *block = row + at / 32 * 34;
    return (float)(int8_t)block[2 + at % 32] * from_f16(*(const uint16_t *)block);
  }

  size_t row_of(int i, int position) const {
    const int32_t *span = &spans[(size_t)i * RK_SPAN_COLUMNS];
    const int page = position / shape.page_size - span[RK_SPAN_FIRST_PAGE];
    return (size_t)tables[span[RK_SPAN_TABLE] + page] * shape.page_size + position % shape.page_size;
  }

 private:
  void shuffle_pages() {
    std::vector<int32_t> ids(pages);
    for (int i = 0; i < pages; i++) ids[i] = i;
    for (int i = pages - 1; i > 0; i--) std::swap(ids[i], ids[draw_.below(i + 1)]);
    for (auto &id : tables) id = ids[id];
  }

  // Writes the positions that the span sees; whatever else its pages hold stays NaN.
  void fill(int i) {
    const size_t elements = (size_t)shape.n_kv_heads * shape.head_dim, bytes = row_bytes(shape.type, elements);
    const auto &[position, count] = list[i];
    const int low = shape.window == 0 ? 0 : std::max(0, position - shape.window + 1);
    for (int p = low; p < position + count; p++)
      for (auto *of : {&k, &v}) {
        uint8_t *row = &(*of)[row_of(i, p) * bytes];
        for (size_t e = 0; e < elements; e++) {
          if (shape.type == RK_PAGE_F32) ((float *)row)[e] = draw_.normal();
          else if (shape.type == RK_PAGE_F16) ((uint16_t *)row)[e] = to_f16(draw_.normal());
          else {
            if (e % 32 == 0) *(uint16_t *)(row + e / 32 * 34) = to_f16(0.01f + 0.01f * fabsf(draw_.normal()));
            row[e / 32 * 34 + 2 + e % 32] = (uint8_t)(int8_t)(draw_.below(255) - 127);
          }
        }
      }
  }

  Draw draw_;
};
