// Attention over pages, for one instruction set: `Simd` is defined by the file that includes this one.
//
// A task's queries form sets: the query heads of one row, four at a time. All sets read each block of K, then each
// block of V, from the first-level cache; so K and V come from memory once per task. A single set reads pages where
// they are; several sets share rows that were widened to f32 once.
#pragma once
#include "weigh.h"
#include "widen.h"

namespace {

constexpr int MAX_SETS = MAX_ROWS * MAX_HEADS / SET;

struct Workspace {
  alignas(64) float q[TILE_FLOATS], acc[TILE_FLOATS], total[TILE_FLOATS];
  alignas(64) float wide[BLOCK * MAX_DIM];
  Set sets[MAX_SETS];
};

static thread_local Workspace workspace;

template <class T> constexpr bool READS_IN_PLACE = true;
template <> constexpr bool READS_IN_PLACE<q8_0> = false;

template <class T> class Tile {
 public:
  Tile(const rk_attend_job *job, const Task &task) : job_(job), task_(task), reader_(job->pages, task) {
    dim_ = job->pages.head_dim;
    low_ = first_visible(job, task.position);
    high_ = task.position + task.rows - 1;
    const int group = job->n_heads / job->pages.n_kv_heads;
    for (int kv_head = 0; kv_head < task.kv_heads; kv_head++)
      for (int row = 0; row < task.rows; row++)
        for (int i = 0; i < task.heads; i += SET) add_set(row, task.head + kv_head * group + i, task.heads - i);
    sets_per_head_ = sets_ / task.kv_heads;
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
    uint16_t *finished = job_->finished + task_.span * Cut(job_, task_.rows).parts + task_.part;
    if (__atomic_add_fetch(finished, 1, __ATOMIC_ACQ_REL) < task_.chunks) return;
    __atomic_store_n(finished, 0, __ATOMIC_RELAXED);
    for (int i = 0; i < sets_; i++) merge_partials(workspace.sets[i]);
    for (int i = 0; i < sets_; i++) finish_set(workspace.sets[i]);
  }

 private:
  void add_set(int row, int head, int heads) {
    Set &set = workspace.sets[sets_++];
    set.queries = smaller(SET, heads);
    set.row = task_.row + row;
    set.head = head;
    set.high = task_.position + row;
    set.low = first_visible(job_, set.high);
    set.q = workspace.q + floats_;
    set.acc = workspace.acc + floats_;
    set.total = workspace.total + floats_;
    const float *q = job_->q + set.row * job_->q_stride + (size_t)head * dim_;
    for (int d = 0; d < set.queries * dim_; d += W)
      Simd::store(workspace.q + floats_ + d, Simd::mul(Simd::load(q + d), Simd::all(job_->scale)));
    start_total(set, dim_);
    floats_ += set.queries * dim_;
  }

  // Positions [chunk, chunk + CHUNK): block by block, of each block all KV heads.
  void attend_chunk(int chunk) {
    for (int i = 0; i < sets_; i++) start(workspace.sets[i], dim_);
    const int low = larger(low_, chunk), high = smaller(high_, chunk + CHUNK - 1);
    Rows<T> rows[2];
    int turn = 0;
    read(low / BLOCK * BLOCK, 0, low, high, &rows[turn]);
    for (int block = low / BLOCK * BLOCK; block <= high; block += BLOCK)
      for (int head = 0; head < task_.kv_heads; head++, turn ^= 1) {
        const bool last_head = head + 1 == task_.kv_heads;
        const int next = last_head ? block + BLOCK : block;
        if (next <= high) read(next, last_head ? 0 : head + 1, low, high, &rows[turn ^ 1]);
        else rows[turn ^ 1] = rows[turn];
        attend_block(block, workspace.sets + head * sets_per_head_, rows[turn], rows[turn ^ 1]);
      }
  }

  void read(int block, int head, int low, int high, Rows<T> *rows) {
    reader_.read(block, head, larger(low - block, 0), smaller(high - block, BLOCK - 1), rows);
  }

  void attend_block(int block, Set *sets, const Rows<T> &now, const Rows<T> &next) {
    for (int i = 0; i < sets_per_head_; i++) {
      sets[i].first = larger(sets[i].low - block, 0);
      sets[i].last = smaller(sets[i].high - block, BLOCK - 1);
    }
    if constexpr (READS_IN_PLACE<T>) {
      if (sets_per_head_ == 1) return attend_in_place(*sets, now, next);
    }
    weigh_widened(sets, now.k, next.k);
    mix_widened(sets, now.v, next.v);
  }

  void attend_in_place(Set &set, const Rows<T> &now, const Rows<T> &next) {
    weigh_any<true>(set, now.k, next.k, dim_);
    mix_any<true>(set, now.v, next.v, dim_);
  }

  void weigh_widened(Set *sets, const T *const *k, const T *const *next) {
    const Simd::Key *rows[BLOCK];
    for (int j = 0; j < BLOCK; j++) {
      float *row = Simd::key_row(workspace.wide, j, dim_);
      rows[j] = (const Simd::Key *)row;
      ask(next, j, 1, row_bytes());
      widen(row, Simd::KEY_GAP, k[j], dim_);
    }
    for (int i = 0; i < sets_per_head_; i++)
      if (sets[i].first <= sets[i].last) weigh_any<false>(sets[i], rows, rows, dim_);
  }

  void mix_widened(Set *sets, const T *const *v, const T *const *next) {
    const float *rows[BLOCK];
    for (int j = 0; j < BLOCK; j++) {
      rows[j] = workspace.wide + j * dim_;
      ask(next, j, 1, row_bytes());
      widen(workspace.wide + j * dim_, 8, v[j], dim_);
    }
    for (int i = 0; i < sets_per_head_; i++)
      if (sets[i].first <= sets[i].last) mix_any<false>(sets[i], rows, rows, dim_);
  }

  int row_bytes() const { return dim_ / PER_ITEM<T> * (int)sizeof(T); }

  void merge_chunk(Set &set, int chunk) {
    if (set.low >= chunk + CHUNK || set.high < chunk) return;
    for (int i = 0; i < set.queries; i++) merge(set, i, set.acc + i * dim_, set.m[i], set.s[i], dim_);
  }

  // A partial result is [n_heads, head_dim + 16]: the sum over V, then m, then s.
  float *partial(const Set &set, int chunk, int i) const {
    return job_->partials + ((size_t)(task_.first_partial + chunk) * job_->n_heads + set.head + i) * (dim_ + 16);
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
    float *out = job_->out + ((size_t)set.row * job_->n_heads + set.head) * dim_;
    for (int i = 0; i < set.queries; i++) finish(set, i, out + (size_t)i * dim_, dim_);
  }

  const rk_attend_job *job_;
  const Task &task_;
  const PageReader<T> reader_;
  int dim_, low_, high_, sets_ = 0, sets_per_head_, floats_ = 0;
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
