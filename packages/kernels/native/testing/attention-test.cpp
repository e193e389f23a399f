// Attention against f64, and its promise of one answer: each case prints what it compared; the exit code counts faults.
#include <stdio.h>
#include <string.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>

#include "../attention/tasks.h"
#include "../variant.h"
#include "pages-fixture.h"
#include "variants.h"

using Attend = void (*)(const rk_attend_job *, int, int);

static int faults = 0;

static void expect(bool holds, const std::string &what) {
  if (holds) return;
  faults++;
  printf("FAULT: %s\n", what.c_str());
}

// Runs a job's tasks on threads that take `step` at a time.
static std::vector<float> run(PagesFixture &fixture, Attend attend, int threads, bool split, int kv_heads = 1) {
  std::fill(fixture.out.begin(), fixture.out.end(), NAN);
  const rk_attend_job job = fixture.job(split, kv_heads);
  const int step = threads, tasks = TaskCursor(&job).tasks();
  std::atomic<int> next{0};
  std::vector<std::thread> pool;
  for (int i = 0; i < threads; i++)
    pool.emplace_back([&] {
      for (int at; (at = next.fetch_add(step)) < tasks;) attend(&job, at, std::min(tasks, at + step));
    });
  for (auto &thread : pool) thread.join();
  return fixture.out;
}

// The relative error of the rows that a stride picks, root of the mean square.
static double error_to_f64(const PagesFixture &f, const std::vector<float> &out, int stride) {
  const Shape &s = f.shape;
  double off = 0, all = 0;
  for (size_t i = 0, n = 0; i < f.list.size(); i++)
    for (int r = 0; r < f.list[i].rows; r++)
      for (int h = 0; h < s.n_heads; h++, n++) {
        if (n % stride != 0) continue;
        const int row = f.spans[i * RK_SPAN_COLUMNS] + r, last = f.list[i].position + r;
        const int kv = h / (s.n_heads / s.n_kv_heads);
        const int low = s.window == 0 ? 0 : std::max(0, last - s.window + 1);
        const size_t at = ((size_t)row * s.n_heads + h) * s.head_dim;
        std::vector<double> p;
        double most = -INFINITY, sum = 0;
        for (int pos = low; pos <= last; pos++) {
          double dot = 0;
          for (int d = 0; d < s.head_dim; d++) dot += (double)f.q[at + d] * f.element(f.k, i, pos, kv, d);
          p.push_back(dot / sqrt(s.head_dim));
          most = std::max(most, p.back());
        }
        for (auto &x : p) sum += x = exp(x - most);
        for (int d = 0; d < s.head_dim; d++) {
          double want = 0;
          for (int pos = low; pos <= last; pos++) want += p[pos - low] * f.element(f.v, i, pos, kv, d);
          want /= sum;
          off += (out[at + d] - want) * (out[at + d] - want);
          all += want * want;
        }
      }
  return sqrt(off / all);
}

static bool same(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() && memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

static std::string name_of(const Shape &s) {
  const char *type = s.type == RK_PAGE_F32 ? "f32" : s.type == RK_PAGE_F16 ? "f16" : "q8_0";
  return std::string(type) + ", heads of " + std::to_string(s.head_dim) + ", " + std::to_string(s.n_heads) + "/" +
         std::to_string(s.n_kv_heads) + ", pages of " + std::to_string(s.page_size) + ", window " +
         std::to_string(s.window);
}

struct Kernel {
  std::string variant;
  Attend attend;
};

// What this processor runs.
static std::vector<Kernel> kernels() {
  std::vector<Kernel> all;
  for (const std::string &name : variants())
    if (rk_choose(name.c_str()) == 0) all.push_back({name, rk_chosen()->attend});
  return all;
}

// Threads, steps, splits and instruction sets change no bit; the error is that of f32.
static void check(const Shape &shape, std::vector<TestSpan> list, int stride = 7) {
  PagesFixture f(shape, list);
  const auto once = run(f, kernels()[0].attend, 1, false);
  const double error = error_to_f64(f, once, stride);
  expect(error < 3e-6, name_of(shape) + ": error " + std::to_string(error * 1e6) + "e-6");
  for (const auto &[variant, attend] : kernels())
    for (int threads : {1, 2, 3, 8})
      for (bool split : {false, true})
        expect(same(once, run(f, attend, threads, split, threads > 3 ? 100 : threads)),
               name_of(shape) + ": other bits with " + std::to_string(threads) + " threads" + (split ? ", split, " : ", ") +
                   variant);
  printf("%s: %zu spans, error %.1e\n", name_of(shape).c_str(), list.size(), error);
}

// The last rows of a prompt have the bits that they have when each is computed alone.
static void check_decode_is_prefill(const Shape &shape, int position, int rows) {
  PagesFixture whole(shape, {{position, rows}});
  for (const auto &[variant, attend] : kernels()) {
    const auto together = run(whole, attend, 1, false);
    PagesFixture alone = whole;
    const size_t floats = (size_t)shape.n_heads * shape.head_dim;
    alone.list.clear();
    alone.spans.clear();
    for (int r = 0; r < rows; r++) {
      alone.list.push_back({position + r, 1});
      const int first = whole.spans[RK_SPAN_FIRST_PAGE];
      for (int32_t column : {r, 1, position + r, 0, first}) alone.spans.push_back(column);
    }
    alone.finished.assign(rows * shape.n_heads, 0);
    alone.partials.assign((size_t)rows * (position / 1024 + 2) * shape.n_heads * (shape.head_dim + 16), NAN);
    for (bool split : {false, true}) {
      const auto singly = run(alone, attend, 3, split);
      for (int r = 0; r < rows; r++)
        expect(memcmp(&singly[r * floats], &together[r * floats], floats * 4) == 0,
               name_of(shape) + ": row " + std::to_string(position + r) + " of a prompt differs from decoding, " + variant);
    }
  }
  printf("%s: rows %d to %d, alone and together\n", name_of(shape).c_str(), position, position + rows - 1);
}

int main(int argc, char **argv) {
  const bool brief = argc > 1 && !strcmp(argv[1], "brief");
  const std::vector<TestSpan> mixture{{0, 1},    {30, 1},   {31, 1},   {32, 1},   {0, 33},
                                      {1022, 1}, {1023, 1}, {1024, 1}, {1020, 9}, {100, 70}};
  for (int type : {RK_PAGE_F16, RK_PAGE_F32, RK_PAGE_Q8_0}) {
    Shape shape;
    shape.type = type;
    check(shape, mixture);
    if (!brief) check(shape, {{4094, 1}, {2500, 3}, {4095, 1}}, 11);
    for (int window : {1, 31, 32, 33, 100, 1500}) {
      shape.window = window;
      check(shape, window > 1000 ? std::vector<TestSpan>{{4094, 1}, {3000, 12}, {1498, 5}} : mixture, 11);
    }
    shape.window = 0;
    check_decode_is_prefill(shape, 0, 70);
    check_decode_is_prefill(shape, 1010, 40);
    shape.window = 50;
    check_decode_is_prefill(shape, 1000, 90);
  }
  for (int head_dim : {64, 80, 96, 128, 256})
    for (int group : {1, 2, 3, 4, 5, 6, 7, 8, 18}) {
      Shape shape;
      shape.head_dim = head_dim;
      shape.n_kv_heads = 2;
      shape.n_heads = group * 2;
      for (int page_size : {32, 7, 64}) {
        shape.page_size = page_size;
        check(shape, {{50, 1}, {0, 20}, {1030, 1}}, 5);
        if (brief) break;
      }
      check_decode_is_prefill(shape, 20, 30);
    }
  printf(faults == 0 ? "all right\n" : "%d faults\n", faults);
  return faults > 0;
}
