// One row of logits: its log-probabilities, and a token drawn from it.
#pragma once
#include "job.h"
#include "places.h"

namespace {

// A copy of the row in `copy`, changed in the order in which packages/ggml/src/sampling/edits.ts does it.
inline Row edited(const Row &row, const rk_row_request &wanted, float *copy) {
  const int32_t *allowed = wanted.allowed;
  if (allowed == nullptr) memcpy(copy, row.x, row.n * sizeof(float));
  else
    for (int64_t i = 0; i < row.n; i++) copy[i] = (uint32_t)allowed[i >> 5] >> (i & 31) & 1 ? row.x[i] : -INFINITY;
  const auto change = [&](const int32_t *tokens, int32_t count, auto changed) {
    for (int32_t i = 0; i < count; i++)
      if (tokens[i] >= 0 && tokens[i] < row.n) copy[tokens[i]] = changed((double)copy[tokens[i]], i);
  };
  change(wanted.banned, wanted.n_banned, [](double, int32_t) { return -INFINITY; });
  change(wanted.biased, wanted.n_biased, [&](double x, int32_t i) { return (float)(x + wanted.biases[i]); });
  change(wanted.seen, wanted.n_seen, [&](double x, int32_t) {
    return (float)(x > 0 ? x / wanted.repetition : x * wanted.repetition);
  });
  change(wanted.generated, wanted.n_generated, [&](double x, int32_t i) {
    return (float)(x - wanted.frequency * wanted.counts[i] - wanted.presence);
  });
  return {copy, row.n};
}

inline bool is_edited(const rk_row_request &wanted) {
  return wanted.allowed != nullptr || wanted.n_banned + wanted.n_biased + wanted.n_seen + wanted.n_generated > 0;
}

// -1 when no token has a weight.
inline int64_t drawn(const Row &row, const rk_row_request &wanted) {
  const int64_t best = id_of_best(row);
  if (best < 0 || wanted.how == RK_DRAW_BEST) return best;
  const double most = row.x[best];
  const Weigh of = {most, wanted.factor, most + wanted.cut, exponent_of(row.n)};
  const bool is_counted = wanted.top_k > 0 && wanted.top_k < row.n, is_summed = wanted.top_p < 1;
  Place last = {0, 0};  // of the tokens that are kept
  if (is_counted) last = place_of_rank(row, wanted.top_k - 1);
  double kept = is_counted ? sum_through(row, of, last) : sum_of(row, of);
  if (!(kept > 0)) return -1;
  if (is_summed) {
    const double unit = __builtin_ceil(wanted.top_p * kept) - 1;
    last = place_of(row, of, unit > 0 ? unit : 0, last.key);
    kept = sum_through(row, of, last);
  }
  const double unit = __builtin_floor(wanted.uniform * kept), target = unit < kept ? unit : kept - 1;
  return is_counted || is_summed ? id_at(row, place_of(row, of, target, last.key)) : id_of_unit(row, of, target);
}

// The `most` best numbers, in the order of ids.
inline int32_t list_best(const Row &row, int64_t most, rk_alternative *list) {
  if (most <= 0) return 0;
  const Place last = place_of_rank(row, (most < row.n ? most : row.n) - 1);
  double equals = last.equals + 1;
  int32_t listed = 0;
  for (int64_t i = 0; i < row.n; i += LANES) {
    const U keys = keys_of(row.load(i));
    if (!any(keys >= last.key)) continue;
    for (int lane = 0; lane < LANES && i + lane < row.n; lane++) {
      if (keys[lane] == 0 || keys[lane] < last.key || (keys[lane] == last.key && equals-- < 1)) continue;
      list[listed++] = {(int32_t)(i + lane), row.x[i + lane]};
    }
  }
  return listed;
}

inline rk_row_reading read_row(const Row &row, const rk_row_request &wanted, rk_alternative *list, float *copy) {
  rk_row_reading read = {0, -INFINITY, NAN, NAN, -1, 0, 0};
  if (wanted.alternatives >= 0) {
    const int64_t best = id_of_best(row);
    if (best >= 0) read.best = row.x[best];
    read.total = sum_of(row, Weigh{read.best, LOG2_E, -INFINITY, exponent_of(row.n)});
    if (wanted.target >= 0 && wanted.target < row.n) read.target = row.x[wanted.target];
    read.listed = list_best(row, wanted.alternatives, list);
  }
  if (wanted.how == RK_DRAW_NONE) return read;
  read.token = (int32_t)drawn(is_edited(wanted) ? edited(row, wanted, copy) : row, wanted);
  if (read.token >= 0) read.logit = row.x[read.token];
  return read;
}

inline void read_rows(const rk_read_job *job, int64_t first, int64_t end, float *copy) {
  for (int64_t i = first; i < end; i++) {
    const rk_row_request &wanted = job->requests[i];
    const Row row = {job->logits + wanted.row * job->n, job->n};
    job->readings[i] = read_row(row, wanted, job->alternatives + i * job->most_alternatives, copy);
  }
}

}  // namespace
