// A step's attention, cut into tasks. A task is a tile of rows of one span and the query heads that read one KV head,
// over all positions that the rows see or, when `partials` are given and the span has one row, over one chunk of them.
#pragma once
#include "job.h"

namespace {

constexpr int BLOCK = 32;          // positions of one online softmax step, at multiples of 32
constexpr int CHUNK = 1024;        // positions of one partial result, at multiples of 1,024
constexpr int TILE_FLOATS = 4096;  // most query elements of a task: what a core's first-level cache can hold
constexpr int MAX_HEADS = 16;      // most query heads of a task
constexpr int MAX_ROWS = 8;        // most rows of a task

struct Task {
  int32_t span;
  int32_t row, rows, position;  // of its first row
  int32_t table, first_page;
  int32_t kv_head, head, heads;  // query heads [head, head + heads)
  int32_t part;                  // number of the part of all query heads that it computes
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

// How a job's heads and rows are cut.
struct Cut {
  int group;           // query heads per KV head
  int heads;           // query heads per task, at most
  int parts_per_group; // tasks that share a KV head
  int parts;           // tasks per tile of rows
  int rows;            // rows per task, at most

  explicit Cut(const rk_attend_job *job) {
    group = job->n_heads / job->pages.n_kv_heads;
    heads = smaller(group, MAX_HEADS);
    parts_per_group = parts_of(group, heads);
    parts = parts_per_group * job->pages.n_kv_heads;
    rows = larger(1, smaller(MAX_ROWS, TILE_FLOATS / (heads * job->pages.head_dim)));
  }
};

// Chunks that a one-row span at `position` touches.
static inline int chunks_of(const rk_attend_job *job, int position) {
  return position / CHUNK - first_visible(job, position) / CHUNK + 1;
}

// Walks the spans of a step; task numbers may only grow.
class TaskCursor {
 public:
  explicit TaskCursor(const rk_attend_job *job) : job_(job), cut_(job) {}

  // False behind the last task.
  bool at(int number, Task *task) {
    while (span_ < job_->pages.n_spans) {
      const int32_t *span = job_->pages.spans + span_ * RK_SPAN_COLUMNS;
      const bool split = job_->partials != nullptr && span[RK_SPAN_ROWS] == 1;
      const int chunks = split ? chunks_of(job_, span[RK_SPAN_POSITION]) : 0;
      const int each = split ? chunks : parts_of(span[RK_SPAN_ROWS], cut_.rows);
      if (number - first_task_ < each * cut_.parts) return describe(span, number - first_task_, each, chunks, task);
      first_task_ += each * cut_.parts;
      first_partial_ += chunks;
      span_++;
    }
    return false;
  }

  int tasks() {
    Task task;
    return at(INT32_MAX, &task) ? INT32_MAX : first_task_;
  }

 private:
  bool describe(const int32_t *span, int index, int each, int chunks, Task *task) const {
    const int part = index / each, i = index % each;
    const int in_group = part % cut_.parts_per_group;
    const int skipped = chunks > 0 ? 0 : i * cut_.rows;
    task->span = span_;
    task->row = span[RK_SPAN_ROW] + skipped;
    task->rows = smaller(cut_.rows, span[RK_SPAN_ROWS] - skipped);
    task->position = span[RK_SPAN_POSITION] + skipped;
    task->table = span[RK_SPAN_TABLE];
    task->first_page = span[RK_SPAN_FIRST_PAGE];
    task->kv_head = part / cut_.parts_per_group;
    task->head = task->kv_head * cut_.group + in_group * cut_.heads;
    task->heads = smaller(cut_.heads, cut_.group - in_group * cut_.heads);
    task->part = part;
    task->chunk = chunks > 0 ? i : 0;
    task->chunks = chunks;
    task->first_partial = first_partial_;
    return true;
  }

  const rk_attend_job *job_;
  const Cut cut_;
  int span_ = 0, first_task_ = 0, first_partial_ = 0;
};

}  // namespace
