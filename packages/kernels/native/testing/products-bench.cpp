// Products of the kernels beside the shipped ggml's, in turns in one process, one thread, processor time.
//   products-bench DIRECTORY CPU TYPE [ROWS K]      e.g. node_modules/@node-llama-cpp/linux-x64/bins/linux-x64 haswell 2
// Prints per number of rows of activations GMAC/s of each variant (quantizing included), and its time to ggml's.
#include <time.h>

#include <algorithm>

#include "products-fixture.h"
#include "variants.h"

static double now() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static double least(std::vector<double> v) { return *std::min_element(v.begin(), v.end()); }
static double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

template <class F> static double seconds(F run) {
  const double start = now();
  run();
  return now() - start;
}

static double load() {
  double one = 0;
  return getloadavg(&one, 1), one;
}

// The buffer type that ggml computes fastest with: AMX's, repacked, or its plain one.
static std::vector<std::pair<std::string, void *>> buffer_types(const Ggml &ggml, int type) {
  std::vector<std::pair<std::string, void *>> all;
  void *amx = dlsym(ggml.cpu, "_Z28ggml_backend_amx_buffer_typev");
  void *repack = dlsym(ggml.cpu, "_Z35ggml_backend_cpu_repack_buffer_typev");
  if (amx != nullptr && type != 14 + 100) all.push_back({"amx", ((void *(*)())amx)()});
  if (repack != nullptr && (type == RK_Q4_0 || type == RK_Q4_K)) all.push_back({"repack", ((void *(*)())repack)()});
  all.push_back({"plain", ggml.get<void *(void *)>("ggml_backend_get_default_buffer_type")(ggml.backend)});
  return all;
}

static void measure(const Ggml &ggml, const Weights &w, int64_t n) {
  const std::vector<std::string> names = variants();
  KernelProduct own(ggml, w, n);
  std::string best_name;
  std::vector<double> best_times;
  const auto types = buffer_types(ggml, w.type);
  GgmlWeights theirs_w(ggml, w, types[0].second);
  GgmlProduct theirs(ggml, theirs_w, n);
  const std::vector<float> x = normal(n * w.k, 7);
  std::vector<double> times(0);
  std::vector<std::vector<double>> own_times(names.size());
  own(x), theirs(x);
  const double macs = (double)w.rows * w.k * n;
  const int inner = std::max(1, (int)(3e8 / macs));
  const double begin = now();
  for (int round = 0; round < 5 || (now() - begin < 1.5 && round < 40); round++) {
    times.push_back(seconds([&] { for (int i = 0; i < inner; i++) theirs.graph.compute(); }) / inner);
    for (size_t v = 0; v < names.size(); v++) {
      rk_choose(names[v].c_str());
      own_times[v].push_back(seconds([&] { for (int i = 0; i < inner; i++) own.graph.compute(); }) / inner);
    }
  }
  printf("%6ld x %6ld n %3ld  ggml %s %6.1f", (long)w.rows, (long)w.k, (long)n, types[0].first.c_str(), macs / least(times) / 1e9);
  for (size_t v = 0; v < names.size(); v++)
    printf("  | %s %6.1f, %.2f (%.2f)", names[v].c_str(), macs / least(own_times[v]) / 1e9, least(times) / least(own_times[v]),
           median(times) / median(own_times[v]));
  printf("  load %.1f\n", load());
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 4) return 1;
  const Ggml ggml(argv[1], argv[2], 1);
  rk_bind((void *)ggml.get<void()>("ggml_custom_4d"), nullptr);
  const int type = atoi(argv[3]);
  std::vector<std::pair<int64_t, int64_t>> shapes = {{4096, 4096}, {14336, 4096}, {4096, 14336}, {32000, 4096}};
  if (argc > 5) shapes = {{atoi(argv[4]), atoi(argv[5])}};
  for (auto [rows, k] : shapes) {
    rk_choose("avx2");
    const Weights w = random_weights(ggml, type, rows, k, 1);
    for (int n : {1, 2, 4, 8, 16, 32, 64}) measure(ggml, w, n);
  }
}
