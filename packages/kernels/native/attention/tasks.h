// A step's attention, cut into tasks. A task has rows of one span and the query heads of one KV head, or of several KV
// heads when it has one row: pages are read in the order of memory then. It covers all positions that its rows see or,
// when `partials` are given and the span has one row, one chunk of them.
#pragma once
#include "job.h"

namespace {

constexpr int BLOCK = 32;          // positions of one online softmax step, at multiples of 32
constexpr int CHUNK = 1024;        // positions of one partial result, at multiples of 1,024
constexpr int TILE_FLOATS = 4096;  // most query elements of a task: what a core's first-level cache can hold
constexpr int MAX_HEADS = 16;      // most query heads of a task
constexpr int MAX_DIM = 256;       // largest head
constexpr int MAX_ROWS = 8;        // most rows of a task

struct Task {
  int32_t span;
  int32_t row, rows, position;  // of its first row
  int32_t table, first_page;
  int32_t kv_head, kv_heads;     // KV heads [kv_head, kv_head + kv_heads)
  int32_t head, heads;           // of its first KV head: query heads [head, head + heads)
  int32_t part;                  // which part of all query heads it has
  int32_t chunk, chunks;         // chunks == 0: all positions; else chunk `chunk` of `chunks`
  int32_t first_partial;         // of the span's chunk 0
};

static inline int smaller(int a, int b) { return a < b ? a : b; }
static inline int larger(int a, int b) { return a > b ? a : b; }
static inline int parts_of(int whole, int part) { return (whole + part - 1) / part; }

// The first position that a row at `position` sees.
static inline int first_visible(const rk_attend_job *job, int position) {
  return job->window == 0 ? 0 : larger(0, position - job->window + 1);
}

// How the rows and heads of a span are cut.
struct Cut {
  int heads;            // query heads of one KV head per task, at most
  int kv_heads;         // KV heads per task, at most
  int parts_per_group;  // tasks that share a KV head
  int parts;            // tasks per tile of rows
  int rows;             // rows per task, at most

  Cut(const rk_attend_job *job, int span_rows) {
    const int group = job->n_heads / job->pages.n_kv_heads;
    heads = smaller(group, MAX_HEADS);
    parts_per_group = parts_of(group, heads);
    const int tiles = larger(1, TILE_FLOATS / (heads * job->pages.head_dim));
    const bool several = span_rows == 1 && parts_per_group == 1;
    kv_heads = several ? smaller(smaller(job->kv_heads, job->pages.n_kv_heads), smaller(tiles, MAX_ROWS)) : 1;
    parts = parts_per_group * parts_of(job->pages.n_kv_heads, kv_heads);
    rows = span_rows == 1 ? 1 : smaller(MAX_ROWS, tiles);
  }
};

// Chunks that a one-row span at `position` touches.
static inline int chunks_of(const rk_attend_job *job, int position) {
  return position / CHUNK - first_visible(job, position) / CHUNK + 1;
}

// Walks the spans of a step; task numbers may only grow.
class TaskCursor {
 public:
  explicit TaskCursor(const rk_attend_job *job) : job_(job) {}

  // False behind the last task.
  bool at(int number, Task *task) {
    for (; span_ < job_->pages.n_spans; span_++) {
      const int32_t *span = job_->pages.spans + span_ * RK_SPAN_COLUMNS;
      const Cut cut(job_, span[RK_SPAN_ROWS]);
      const bool split = job_->partials != nullptr && span[RK_SPAN_ROWS] == 1;
      const int chunks = split ? chunks_of(job_, span[RK_SPAN_POSITION]) : 0;
      const int each = split ? chunks : parts_of(span[RK_SPAN_ROWS], cut.rows);
      if (number - first_task_ < each * cut.parts) {
        describe(span, task);
        place(cut, (number - first_task_) / each, task);
        if (split) task->chunk = (number - first_task_) % each, task->chunks = chunks;
        else skip((number - first_task_) % each * cut.rows, cut.rows, task);
        return true;
      }
      first_task_ += each * cut.parts;
      first_partial_ += chunks;
    }
    return false;
  }

  int tasks() {
    Task task;
    return at(INT32_MAX, &task) ? INT32_MAX : first_task_;
  }

 private:
  void describe(const int32_t *span, Task *task) const {
    *task = {};
    task->span = span_;
    task->row = span[RK_SPAN_ROW];
    task->rows = span[RK_SPAN_ROWS];
    task->position = span[RK_SPAN_POSITION];
    task->table = span[RK_SPAN_TABLE];
    task->first_page = span[RK_SPAN_FIRST_PAGE];
    task->first_partial = first_partial_;
  }

  void place(const Cut &cut, int part, Task *task) const {
    const int group = job_->n_heads / job_->pages.n_kv_heads, skipped = part % cut.parts_per_group * cut.heads;
    task->part = part;
    task->kv_head = part / cut.parts_per_group * cut.kv_heads;
    task->kv_heads = smaller(cut.kv_heads, job_->pages.n_kv_heads - task->kv_head);
    task->head = task->kv_head * group + skipped;
    task->heads = smaller(cut.heads, group - skipped);
  }

  static void skip(int rows, int most, Task *task) {
    task->row += rows;
    task->position += rows;
    task->rows = smaller(most, task->rows - rows);
  }

  const rk_attend_job *job_;
  int span_ = 0, first_task_ = 0, first_partial_ = 0;
};

}  // namespace
