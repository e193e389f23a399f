// Rows of logits read by every variant that the processor runs, against a reference that sorts: each case prints what
// it compared; the exit code counts faults.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "../sampling/job.h"
#include "../variant.h"
#include "variants.h"

static int faults = 0;

static void expect(bool holds, const std::string &what) {
  if (holds) return;
  faults++;
  printf("FAULT: %s\n", what.c_str());
}

struct Case {
  std::vector<float> logits;
  rk_row_request request;

  int64_t size() const { return (int64_t)logits.size(); }
};

// By falling logit, the lower id first among equals.
static std::vector<int32_t> ranked(const std::vector<float> &x) {
  std::vector<int32_t> ids(x.size());
  std::iota(ids.begin(), ids.end(), 0);
  std::stable_sort(ids.begin(), ids.end(), [&](int32_t a, int32_t b) { return x[a] > x[b]; });
  return ids;
}

// In long doubles, which hold every sum exactly enough; false when `token` can't be told apart from its neighbours.
static bool is_drawn(const Case &c, int32_t token) {
  const rk_row_request &wanted = c.request;
  std::vector<int32_t> ids = ranked(c.logits);
  const long double best = c.logits[ids[0]];
  const auto weight = [&](int32_t id) -> long double {
    return c.logits[id] < best + wanted.cut ? 0 : exp2l((c.logits[id] - best) * wanted.factor);
  };
  const bool is_counted = wanted.top_k > 0 && wanted.top_k < c.size();
  if (is_counted) ids.resize(wanted.top_k);
  long double kept = 0;
  for (int32_t id : ids) kept += weight(id);
  if (wanted.top_p < 1) {
    long double sum = 0;
    size_t count = 0;
    while (count < ids.size() && sum < wanted.top_p * kept * (1 - 1e-6L)) sum += weight(ids[count++]);
    ids.resize(std::max<size_t>(count, 1));
    kept = sum;
  } else if (!is_counted) {
    std::sort(ids.begin(), ids.end());
  }
  long double before = 0;
  for (int32_t id : ids) {
    const long double unit = wanted.uniform * kept, slack = 1e-4L * kept;
    if (id == token) return unit >= before - slack && unit <= before + weight(id) + slack;
    before += weight(id);
  }
  return false;
}

static double log_sum(const std::vector<float> &x) {
  const long double best = *std::max_element(x.begin(), x.end());
  long double sum = 0;
  for (float v : x) sum += expl(v - best);
  return (double)(best + logl(sum));
}

static void check(const Case &c, const std::string &name) {
  const int64_t n = c.size();
  const int32_t most = std::max(c.request.alternatives, 0);
  std::vector<float> copy(n);
  std::vector<std::pair<rk_row_reading, std::vector<rk_alternative>>> all;
  for (const std::string &variant : variants()) {
    rk_choose(variant.c_str());
    rk_row_reading reading;
    memset(&reading, 0, sizeof reading);
    std::vector<rk_alternative> list(most);
    rk_read_job job = {c.logits.data(), n, &c.request, &reading, list.data(), most};
    rk_chosen()->read_rows(&job, 0, 1, copy.data());
    all.push_back({reading, list});
  }
  for (const auto &[reading, list] : all) {
    const auto &[first, first_list] = all[0];
    expect(memcmp(&reading, &first, sizeof reading) == 0, name + ": variants differ");
    expect(memcmp(list.data(), first_list.data(), most * sizeof(rk_alternative)) == 0, name + ": lists differ");
  }
  const auto &[reading, list] = all[0];
  const double scale = 53 - ceil(log2((double)n));
  const double off = log(reading.total) - scale * M_LN2 + reading.best - log_sum(c.logits);
  expect(fabs(off) < 2e-6, name + ": log-sum-exp is off by " + std::to_string(off));
  expect(is_drawn(c, reading.token), name + ": drew " + std::to_string(reading.token));
  std::vector<int32_t> best = ranked(c.logits), listed;
  best.resize(std::min<int64_t>(most, n));
  std::sort(best.begin(), best.end());
  for (int32_t i = 0; i < reading.listed; i++) listed.push_back(list[i].token);
  expect(listed == best, name + ": lists other tokens");
}

int main() {
  std::mt19937 random(7);
  std::uniform_real_distribution<double> uniform(0, 1);
  std::normal_distribution<float> normal;
  int cases = 0;
  for (int64_t n : {1, 5, 32, 1000, 1027, 32003, 131072})
    for (float scale : {0.001f, 1.0f, 4.0f, 40.0f})
      for (bool whole : {false, true})
        for (int32_t top_k : {0, 1, 40, 500})
          for (double top_p : {1.0, 0.95, 0.3}) {
            Case c;
            for (int64_t i = 0; i < n; i++) c.logits.push_back(normal(random) * scale);
            if (whole) for (float &x : c.logits) x = roundf(x);
            memset(&c.request, 0, sizeof c.request);
            c.request.how = RK_DRAW_RANDOM;
            c.request.factor = 1.4426950408889634 / 0.7;
            c.request.cut = uniform(random) < 0.5 ? -INFINITY : 0.7 * log(0.01);
            c.request.top_p = top_p;
            c.request.top_k = top_k;
            c.request.uniform = uniform(random);
            c.request.target = 0;
            c.request.alternatives = 20;
            check(c, std::to_string(n) + " logits of scale " + std::to_string(scale) + (whole ? ", whole" : "") +
                         ", top_k " + std::to_string(top_k) + ", top_p " + std::to_string(top_p));
            cases++;
          }
  printf("%d cases\n", cases);
  printf(faults == 0 ? "all right\n" : "%d faults\n", faults);
  return faults > 0;
}
