// Attention over random pages against ggml's flash_attn_ext on contiguous rows (its best case), in turn, on one thread.
// usage: attention-bench DIRECTORY NAME [decode|prefill]: libggml-cpu-NAME.so of DIRECTORY, e.g. haswell
#include <string.h>
#include <time.h>

#include <algorithm>
#include <memory>

#include "../attention/tasks.h"
#include "../variant.h"
#include "pages-fixture.h"
#include "shipped-ggml.h"


using Attend = void (*)(const rk_attend_job *, int, int);

static double processor_ms() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

template <class F> static double timed(F run) {
  const double start = processor_ms();
  run();
  return processor_ms() - start;
}

static double median(std::vector<double> of) {
  std::sort(of.begin(), of.end());
  return of[of.size() / 2];
}

static double least(const std::vector<double> &of) { return *std::min_element(of.begin(), of.end()); }

constexpr int LAYERS = 4;  // with memory of their own, in turn, so that caches hold what they hold in a model

// One flash_attn_ext over `sequences` of `context` positions, `rows` rows each: the fixture's memory as if contiguous.
static void *ggml_graph(const Ggml &ggml, PagesFixture &f, int sequences, int context, int rows) {
  void *ctx = ggml.context(16);
  const Shape &s = f.shape;
  const size_t head = row_bytes(s.type, s.head_dim), row = head * s.n_kv_heads;
  auto *q = ggml.tensor(ctx, RK_PAGE_F32, s.head_dim, rows, s.n_heads, sequences);
  auto *mask = ggml.tensor(ctx, RK_PAGE_F16, context, rows, 1, sequences);
  ggml_tensor *kv[2];
  for (int i = 0; i < 2; i++) {
    kv[i] = ggml.tensor(ctx, s.type, s.head_dim, context, s.n_kv_heads, sequences);
    kv[i]->nb[1] = row, kv[i]->nb[2] = head, kv[i]->nb[3] = row * context;
    kv[i]->data = (i == 0 ? f.k : f.v).data();
  }
  using FlashAttn = ggml_tensor *(void *, void *, void *, void *, void *, float, float, float);
  auto *out = ggml.get<FlashAttn>("ggml_flash_attn_ext")(
      ctx, q, kv[0], kv[1], mask, 1 / sqrtf(s.head_dim), 0, 0);
  for (auto *t : {q, mask, out}) {
    size_t bytes = t->type == RK_PAGE_F32 ? 4 : 2;
    for (int64_t n : t->ne) bytes *= n;
    t->data = aligned_alloc(64, (bytes + 63) / 64 * 64);
  }
  memcpy(q->data, f.q.data(), f.q.size() * 4);
  for (int i = 0; i < sequences * rows; i++)
    for (int j = 0; j < context; j++)
      ((uint16_t *)mask->data)[(size_t)i * context + j] = j <= context - rows + i % rows ? 0 : 0xfc00;
  void *graph = ggml.get<void *(void *)>("ggml_new_graph")(ctx);
  ggml.get<void(void *, void *)>("ggml_build_forward_expand")(graph, out);
  return graph;
}

static void bench(const Ggml &ggml, const Shape &shape, int sequences, int context, int rows) {
  std::vector<std::unique_ptr<PagesFixture>> layers;
  std::vector<void *> graphs;
  for (int i = 0; i < LAYERS; i++) {
    layers.push_back(std::make_unique<PagesFixture>(
        shape, std::vector<TestSpan>(sequences, TestSpan{context - rows, rows}), i));
    graphs.push_back(ggml_graph(ggml, *layers.back(), sequences, context, rows));
  }
  const auto ours = [&](Attend attend) {
    for (auto &layer : layers) {
      const rk_attend_job job = layer->job(false, getenv("KVH") ? atoi(getenv("KVH")) : shape.n_kv_heads);
      attend(&job, 0, TaskCursor(&job).tasks());
    }
  };
  std::vector<double> theirs, avx2, avx512;
  for (int round = 0; round < 9; round++) {
    theirs.push_back(timed([&] { for (void *graph : graphs) ggml.compute(graph); }) / LAYERS);
    avx2.push_back(timed([&] { ours(rk_attend_avx2); }) / LAYERS);
    avx512.push_back(timed([&] { ours(rk_attend_avx512_vnni); }) / LAYERS);
  }
  const double positions = (double)sequences * shape.n_kv_heads * (rows == 1 ? context : rows * (context - rows / 2.0));
  printf("%d x %4d positions, %3d rows: ggml %7.3f (%7.3f)  avx2 %7.3f (%7.3f)  avx512 %7.3f (%7.3f) ms | "
         "least: %.2f, %.2f; medians: %.2f, %.2f | ns per position and KV head: %.1f, %.1f\n",
         sequences, context, rows, least(theirs), median(theirs), least(avx2), median(avx2), least(avx512),
         median(avx512), least(theirs) / least(avx2), least(theirs) / least(avx512), median(theirs) / median(avx2),
         median(theirs) / median(avx512), least(avx2) * 1e6 / positions, least(avx512) * 1e6 / positions);
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 3) return printf("usage: attention-bench DIRECTORY NAME [decode|prefill]\n"), 2;
  const Ggml ggml(argv[1], argv[2], 1);
  const bool prefill = argc > 3 && !strcmp(argv[3], "prefill");
  printf("ms per layer of 32 heads over 8 of 128, f16: least (median) of 9 rounds, processor time of one thread\n");
  if (prefill)
    for (int context : {512, 2048, 4096}) bench(ggml, Shape(), 1, context, 512);
  else
    for (int sequences : {1, 8})
      for (int context : {128, 512, 2048, 4096}) bench(ggml, Shape(), sequences, context, 1);
}
