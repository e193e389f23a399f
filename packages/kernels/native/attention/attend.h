// Attention over pages, for one instruction set: `Simd` is defined by the file that includes this one.
//
// A task's queries form sets: the query heads of one row, four at a time. All sets read each block of K, then each
// block of V, from the first-level cache; so K and V come from memory once per task. A single set reads pages where
// they are; several sets share rows that were widened to f32 once.
#pragma once
#include "block.h"
#include "softmax.h"

namespace {

constexpr int MAX_DIM = 256;
constexpr int MAX_SETS = MAX_ROWS * MAX_HEADS / SET;

struct Workspace {
  alignas(64) float q[TILE_FLOATS], acc[TILE_FLOATS], total[TILE_FLOATS];
  alignas(64) float wide_k[BLOCK * MAX_DIM], wide_v[BLOCK * MAX_DIM];
  Set sets[MAX_SETS];
};

static thread_local Workspace workspace;

// Asks for rows [first, first + count) of the next block, `bytes` each.
template <class T> static inline void ask(const T *const *rows, int first, int count, int bytes) {
  for (int i = first; i < first + count; i++)
    for (int at = 0; at < bytes; at += 64) __builtin_prefetch((const char *)rows[i] + at, 0, 2);
}

// Scores of a block, then powers.
template <int Q, bool AHEAD, class T>
static inline void weigh(Set &set, const T *const *k, const T *const *next, int head_dim) {
  constexpr int STEP = Simd::STEP<Q>;
  for (int i = set.first / STEP * STEP; i <= set.last; i += STEP) {
    if (AHEAD) ask(next, i, STEP, head_dim * (int)sizeof(T));
    Simd::scores<Q>(k + i, set.q, head_dim, set.p[0] + i);
  }
  for (int i = 0; i < Q; i++) {
    if (set.last - set.first + 1 < BLOCK) mask(set, i);
    soften(set, i);
  }
}

// acc = acc c + sum over positions of p V, for N vectors of each query from element d on.
template <int Q, int N, class T> static inline void mix_part(Set &set, const T *const *v, int head_dim, int d) {
  V acc[Q][N];
  for (int i = 0; i < Q; i++)
    for (int n = 0; n < N; n++)
      acc[i][n] = Simd::mul(Simd::load(set.acc + i * head_dim + d + n * W), Simd::all(set.c[i]));
  for (int j = set.first; j <= set.last; j++) {
    V x[N];
    for (int n = 0; n < N; n++) x[n] = Simd::load(v[j] + d + n * W);
    for (int i = 0; i < Q; i++) {
      const V p = Simd::all(set.p[i][j]);
      for (int n = 0; n < N; n++) acc[i][n] = Simd::fma(p, x[n], acc[i][n]);
    }
  }
  for (int i = 0; i < Q; i++)
    for (int n = 0; n < N; n++) Simd::store(set.acc + i * head_dim + d + n * W, acc[i][n]);
}

template <int Q, bool AHEAD, class T>
static inline void mix(Set &set, const T *const *v, const T *const *next, int head_dim) {
  constexpr int N = Simd::MIX;
  const int rows = BLOCK * N * W / head_dim;
  int d = 0, asked = 0;
  for (; d + N * W <= head_dim; d += N * W) {
    if (AHEAD) ask(next, asked, smaller(rows, BLOCK - asked), head_dim * (int)sizeof(T)), asked += rows;
    mix_part<Q, N>(set, v, head_dim, d);
  }
  for (; d < head_dim; d += W) mix_part<Q, 1>(set, v, head_dim, d);
}

template <bool AHEAD, class T> static void weigh_any(Set &set, const Rows<T> &now, const Rows<T> &next, int head_dim) {
  switch (set.queries) {
    case 1: return weigh<1, AHEAD>(set, now.k, next.k, head_dim);
    case 2: return weigh<2, AHEAD>(set, now.k, next.k, head_dim);
    case 3: return weigh<3, AHEAD>(set, now.k, next.k, head_dim);
    default: return weigh<4, AHEAD>(set, now.k, next.k, head_dim);
  }
}

template <bool AHEAD, class T> static void mix_any(Set &set, const Rows<T> &now, const Rows<T> &next, int head_dim) {
  switch (set.queries) {
    case 1: return mix<1, AHEAD>(set, now.v, next.v, head_dim);
    case 2: return mix<2, AHEAD>(set, now.v, next.v, head_dim);
    case 3: return mix<3, AHEAD>(set, now.v, next.v, head_dim);
    default: return mix<4, AHEAD>(set, now.v, next.v, head_dim);
  }
}

template <class T> constexpr bool READS_IN_PLACE = true;
template <> constexpr bool READS_IN_PLACE<q8_0> = false;

template <class T> class Tile {
 public:
  Tile(const rk_attend_job *job, const Task &task) : job_(job), task_(task), reader_(job->pages, task) {
    dim_ = job->pages.head_dim;
    for (int row = 0; row < task.rows; row++)
      for (int head = 0; head < task.heads; head += SET) add_set(row, head);
    low_ = first_visible(job, task.position);
    high_ = task.position + task.rows - 1;
  }

  // Every position, chunk by chunk, and the result.
  void attend_all() {
    for (int at = low_ / CHUNK * CHUNK; at <= high_; at += CHUNK) {
      attend_chunk(at);
      for (int i = 0; i < sets_; i++) merge_chunk(workspace.sets[i], at);
    }
    for (int i = 0; i < sets_; i++) finish_set(workspace.sets[i]);
  }

  // One chunk, whose result goes to the partials; the task that ends last merges them in order of position.
  void attend_part() {
    attend_chunk((low_ / CHUNK + task_.chunk) * CHUNK);
    for (int i = 0; i < sets_; i++) store_partial(workspace.sets[i]);
    int32_t *finished = job_->finished + (size_t)task_.span * Cut(job_).parts + task_.part;
    if (__atomic_add_fetch(finished, 1, __ATOMIC_ACQ_REL) < task_.chunks) return;
    __atomic_store_n(finished, 0, __ATOMIC_RELAXED);
    for (int i = 0; i < sets_; i++) merge_partials(workspace.sets[i]);
    for (int i = 0; i < sets_; i++) finish_set(workspace.sets[i]);
  }

 private:
  void add_set(int row, int head) {
    Set &set = workspace.sets[sets_++];
    const size_t at = (size_t)(row * task_.heads + head) * dim_;
    set.queries = smaller(SET, task_.heads - head);
    set.high = task_.position + row;
    set.low = first_visible(job_, set.high);
    set.q = workspace.q + at;
    set.acc = workspace.acc + at;
    set.total = workspace.total + at;
    const float *q = job_->q + (size_t)(task_.row + row) * job_->q_stride + (size_t)(task_.head + head) * dim_;
    for (int d = 0; d < set.queries * dim_; d += W)
      Simd::store(workspace.q + at + d, Simd::mul(Simd::load(q + d), Simd::all(job_->scale)));
    start_total(set, dim_);
  }

  // Positions [chunk, chunk + CHUNK).
  void attend_chunk(int chunk) {
    for (int i = 0; i < sets_; i++) start(workspace.sets[i], dim_);
    const int low = larger(low_, chunk), high = smaller(high_, chunk + CHUNK - 1);
    Rows<T> rows[2];
    read(low / BLOCK * BLOCK, low, high, &rows[0]);
    for (int block = low / BLOCK * BLOCK, turn = 0; block <= high; block += BLOCK, turn ^= 1) {
      if (block + BLOCK <= high) read(block + BLOCK, low, high, &rows[turn ^ 1]);
      else rows[turn ^ 1] = rows[turn];
      for (int i = 0; i < sets_; i++) see(workspace.sets[i], block);
      attend_block(rows[turn], rows[turn ^ 1]);
    }
  }

  void read(int block, int low, int high, Rows<T> *rows) {
    reader_.read(block, larger(low - block, 0), smaller(high - block, BLOCK - 1), rows);
  }

  static void see(Set &set, int block) {
    set.first = larger(set.low - block, 0);
    set.last = smaller(set.high - block, BLOCK - 1);
  }

  void attend_block(const Rows<T> &now, const Rows<T> &next) {
    if constexpr (READS_IN_PLACE<T>)
      if (sets_ == 1) return attend_rows<true>(now, next);
    attend_widened(now, next);
  }

  void attend_widened(const Rows<T> &now, const Rows<T> &next) {
    Rows<float> wide;
    for (int i = 0; i < BLOCK; i++) {
      wide.k[i] = workspace.wide_k + i * dim_;
      wide.v[i] = workspace.wide_v + i * dim_;
      ask(next.k, i, 1, row_bytes());
      ask(next.v, i, 1, row_bytes());
      Simd::widen(workspace.wide_k + i * dim_, now.k[i], dim_);
      Simd::widen(workspace.wide_v + i * dim_, now.v[i], dim_);
    }
    attend_rows<false>(wide, wide);
  }

  int row_bytes() const { return dim_ / PER_ITEM<T> * (int)sizeof(T); }

  template <bool AHEAD, class U> void attend_rows(const Rows<U> &now, const Rows<U> &next) {
    Set *sets = workspace.sets;
    for (int i = 0; i < sets_; i++)
      if (sets[i].first <= sets[i].last) weigh_any<AHEAD>(sets[i], now, next, dim_);
    for (int i = 0; i < sets_; i++)
      if (sets[i].first <= sets[i].last) mix_any<AHEAD>(sets[i], now, next, dim_);
  }

  void merge_chunk(Set &set, int chunk) {
    if (set.low >= chunk + CHUNK || set.high < chunk) return;
    for (int i = 0; i < set.queries; i++) merge(set, i, set.acc + i * dim_, set.m[i], set.s[i], dim_);
  }

  // A partial result is [n_heads, head_dim + 16]: the sum over V, then m, then s.
  float *partial(const Set &set, int chunk, int i) const {
    const int head = task_.head + (int)(set.q - workspace.q) / dim_ + i;
    return job_->partials + ((size_t)(task_.first_partial + chunk) * job_->n_heads + head) * (dim_ + 16);
  }

  void store_partial(const Set &set) {
    for (int i = 0; i < set.queries; i++) {
      float *to = partial(set, task_.chunk, i);
      for (int d = 0; d < dim_; d += W) Simd::store(to + d, Simd::load(set.acc + i * dim_ + d));
      to[dim_] = set.m[i];
      to[dim_ + 1] = set.s[i];
    }
  }

  void merge_partials(Set &set) {
    for (int i = 0; i < set.queries; i++)
      for (int chunk = 0; chunk < task_.chunks; chunk++) {
        const float *from = partial(set, chunk, i);
        merge(set, i, from, from[dim_], from[dim_ + 1], dim_);
      }
  }

  void finish_set(const Set &set) {
    const int query = (int)(set.q - workspace.q) / dim_, row = query / task_.heads, head = query % task_.heads;
    float *out = job_->out + ((size_t)(task_.row + row) * job_->n_heads + task_.head + head) * dim_;
    for (int i = 0; i < set.queries; i++) finish(set, i, out + (size_t)i * dim_, dim_);
  }

  const rk_attend_job *job_;
  const Task &task_;
  const PageReader<T> reader_;
  int dim_, low_, high_, sets_ = 0;
};

template <class T> static void attend_tasks(const rk_attend_job *job, int first, int end) {
  TaskCursor cursor(job);
  Task task;
  for (int number = first; number < end && cursor.at(number, &task); number++) {
    Tile<T> tile(job, task);
    if (task.chunks == 0) tile.attend_all();
    else tile.attend_part();
  }
}

static void attend_pages(const rk_attend_job *job, int first, int end) {
  switch (job->pages.type) {
    case RK_PAGE_F32: return attend_tasks<float>(job, first, end);
    case RK_PAGE_F16: return attend_tasks<f16>(job, first, end);
    case RK_PAGE_Q8_0: return attend_tasks<q8_0>(job, first, end);
  }
}

}  // namespace
