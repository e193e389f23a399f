// The rows of K and V that a block of 32 positions reads, as pointers: pages may have any size and any order, and a
// position that nobody sees points to one that somebody sees, so memory that nobody wrote is never read.
#pragma once
#include "tasks.h"

namespace {

using f16 = uint16_t;
struct q8_0 {
  f16 d;
  int8_t q[32];
} __attribute__((packed));
static_assert(sizeof(q8_0) == 34, "32 elements of Q8_0 are 34 bytes");

template <class T> struct Rows {
  const T *k[BLOCK], *v[BLOCK];
};

// Elements of a page row per item of T.
template <class T> constexpr int PER_ITEM = 1;
template <> constexpr int PER_ITEM<q8_0> = 32;

template <class T> class PageReader {
 public:
  PageReader(const rk_pages &pages, const Task &task)
      : size_(pages.page_size),
        row_items_((size_t)pages.n_kv_heads * pages.head_dim / PER_ITEM<T>),
        table_(pages.tables + task.table - task.first_page) {
    head_items_ = (size_t)pages.head_dim / PER_ITEM<T>;
    k_ = (const T *)pages.k + task.kv_head * head_items_;
    v_ = (const T *)pages.v + task.kv_head * head_items_;
  }

  // Rows of positions block + [first, last] of the task's KV head number `head`.
  void read(int block, int head, int first, int last, Rows<T> *rows) const {
    int page = (block + first) / size_, in_page = (block + first) % size_;
    size_t at = row(page, in_page) + head * head_items_;
    for (int i = 0; i < first; i++) set(rows, i, at);
    for (int i = first; i <= last; i++) {
      set(rows, i, at);
      at += row_items_;
      if (++in_page == size_ && i < last) at = row(++page, in_page = 0) + head * head_items_;
    }
    for (int i = last + 1; i < BLOCK; i++) rows->k[i] = rows->k[last], rows->v[i] = rows->v[last];
  }

 private:
  size_t row(int page, int in_page) const { return ((size_t)table_[page] * size_ + in_page) * row_items_; }

  void set(Rows<T> *rows, int i, size_t at) const {
    rows->k[i] = k_ + at;
    rows->v[i] = v_ + at;
  }

  const int size_;
  const size_t row_items_;
  size_t head_items_;
  const int32_t *table_;
  const T *k_, *v_;
};

}  // namespace
