// Products compared with f64 and with the shipped ggml, over types, shapes and numbers of rows; and the promise that a
// row's result is one, whatever is computed beside it, by however many threads and by which variant. Counts faults.
//   products-test DIRECTORY CPU      e.g. node_modules/@node-llama-cpp/linux-x64/bins/linux-x64 haswell
#include <algorithm>

#include "products-fixture.h"
#include "variants.h"

static int faults = 0, checks = 0;

static void expect(bool holds, const std::string &what) {
  checks++;
  if (holds) return;
  if (faults++ < 40) printf("FAULT: %s\n", what.c_str());
}

static bool same_bits(const std::vector<float> &a, const std::vector<float> &b) {
  return a.size() == b.size() && memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// What ggml's Q8_0 or Q8_K makes of a row, as numbers.
static void quantize_row(int kind, const float *x, int64_t k, double *out) {
  const int64_t block = kind == RK_PER_32 ? 32 : 256;
  for (int64_t at = 0; at < k; at += block) {
    float most = 0;
    for (int64_t i = at; i < at + block; i++) most = std::max(most, fabsf(x[i]));
    const float inverse = most != 0 ? 127.0f / most : 0;
    const float d = most == 0 ? 0 : kind == RK_PER_32 ? (float)(_Float16)(most / 127.0f) : 1 / inverse;
    for (int64_t i = at; i < at + block; i++) out[i] = (double)d * nearbyintf(x[i] * inverse);
  }
}

// The relative error of the root of the mean square, over some of the rows.
static double error_of(const std::vector<float> &out, const Weights &w, const std::vector<double> &x, int64_t n) {
  double off = 0, all = 0;
  for (int64_t t = 0; t < n; t++)
    for (int64_t r = 0; r < w.rows; r += 1 + w.rows / 37) {
      double sum = 0;
      for (int64_t i = 0; i < w.k; i++) sum += (double)w.values[r * w.k + i] * x[t * w.k + i];
      const double difference = out[t * w.rows + r] - sum;
      off += difference * difference;
      all += sum * sum;
    }
  return all == 0 ? sqrt(off) : sqrt(off / all);
}

struct Case {
  const Ggml &ggml;
  const Weights &w;
  int64_t n;
  std::string name() const {
    return std::string(traits(ggml, w.type)->name) + " " + std::to_string(w.rows) + "x" + std::to_string(w.k) + " n " +
           std::to_string(n);
  }
};

static void set_threads(const Ggml &ggml, int threads) {
  ((void (*)(void *, int))dlsym(ggml.cpu, "ggml_backend_cpu_set_n_threads"))(ggml.backend, threads);
}

// Against f64 products of what the activations were rounded to, and against each other: bits are the variants' own.
static void check_numbers(const Case &c) {
  const std::vector<float> x = normal(c.n * c.w.k, (unsigned)c.n);
  std::vector<double> rounded(x.size());
  for (int64_t t = 0; t < c.n; t++)
    quantize_row(rk_activation_kind(c.w.type), &x[t * c.w.k], c.w.k, &rounded[t * c.w.k]);
  KernelProduct product(c.ggml, c.w, c.n);
  std::vector<float> first;
  for (const std::string &variant : variants()) {
    rk_choose(variant.c_str());
    const std::vector<float> out = product(x);
    const double error = error_of(out, c.w, rounded, c.n);
    expect(error < 2e-6, c.name() + " " + variant + ": error " + std::to_string(error * 1e6) + "e-6");
    if (first.empty()) first = out;
    expect(same_bits(out, first), c.name() + " " + variant + ": other bits than " + variants()[0]);
  }
}

// Against f64 of what was given, activations not rounded: at most ggml's error. In Q4_1 ggml rounds the activations' sums
// otherwise, by chance to a smaller error now and then.
static void check_error(const Case &c) {
  const std::vector<float> x = normal(c.n * c.w.k, (unsigned)c.n);
  const std::vector<double> exact(x.begin(), x.end());
  const GgmlWeights weights(c.ggml, c.w, c.ggml.get<void *(void *)>("ggml_backend_get_default_buffer_type")(c.ggml.backend));
  const double theirs = error_of(GgmlProduct(c.ggml, weights, c.n)(x), c.w, exact, c.n);
  const double own = error_of(KernelProduct(c.ggml, c.w, c.n)(x), c.w, exact, c.n);
  expect(own <= theirs * (c.w.type == RK_Q4_1 ? 1.05 : 1.001), c.name() + ": error " + std::to_string(own) + ", ggml's " + std::to_string(theirs));
}

// Each row as it is alone, with the residual added, on other threads.
static void check_one_answer(const Case &c) {
  const std::vector<float> x = normal(c.n * c.w.k, (unsigned)c.n);
  static rk_team *const team = rk_team_new(3);
  KernelProduct all(c.ggml, c.w, c.n), alone(c.ggml, c.w, 1), adding(c.ggml, c.w, c.n, RK_PLAIN, true);
  KernelProduct helped(c.ggml, c.w, c.n, RK_PLAIN, false, team);
  const std::vector<float> residual = normal(c.n * c.w.rows, 3);
  memcpy(adding.residual->data, residual.data(), residual.size() * sizeof(float));
  for (const std::string &variant : variants()) {
    rk_choose(variant.c_str());
    const std::vector<float> out = all(x);
    for (int64_t t = 0; t < c.n; t += 1 + c.n / 5) {
      const std::vector<float> one = alone(std::vector<float>(&x[t * c.w.k], &x[t * c.w.k] + c.w.k));
      expect(memcmp(one.data(), &out[t * c.w.rows], c.w.rows * 4) == 0, c.name() + " " + variant + ": row differs alone");
    }
    for (int threads : {2, 3, 8}) {
      set_threads(c.ggml, threads);
      expect(same_bits(all(x), out), c.name() + " " + variant + ": other bits on " + std::to_string(threads) + " threads");
    }
    set_threads(c.ggml, 1);
    for (int again = 0; again < 3; again++)
      expect(same_bits(helped(x), out), c.name() + " " + variant + ": other bits by a team");
    std::vector<float> sum = out;
    for (size_t i = 0; i < sum.size(); i++) sum[i] += residual[i];
    expect(same_bits(adding(x), sum), c.name() + " " + variant + ": the residual is not added last");
  }
}

static void check_equal_to_ggml(const Case &c, const std::vector<float> &x) {
  void *repack = ((void *(*)())dlsym(c.ggml.cpu, "_Z35ggml_backend_cpu_repack_buffer_typev"))();
  const GgmlWeights weights(c.ggml, c.w, repack);
  GgmlProduct theirs(c.ggml, weights, c.n);
  KernelProduct own(c.ggml, c.w, c.n);
  const std::vector<float> expected = theirs(x);
  for (const std::string &variant : variants()) {
    rk_choose(variant.c_str());
    expect(same_bits(own(x), expected), c.name() + " " + variant + ": other bits than ggml");
  }
}

// Extreme bytes: all nibbles 0 or 15, activations at their largest with either sign, zeros, d = 0.
static void check_extremes(const Ggml &ggml, int type, int64_t rows, int64_t k) {
  for (int byte : {0x00, 0xff, 0x0f, 0xf0, 0x80, 0x7f}) {
    Weights w = random_weights(ggml, type, rows, k, 5);
    const size_t block = traits(ggml, type)->bytes, scales = type == RK_Q4_1 || type == RK_Q4_K || type == RK_Q5_K ? 4 : 2;
    for (size_t at = 0; at < w.bytes.size(); at += block) {
      const bool none = at / block % 5 == 3;
      char *fields = &w.bytes[at];
      const size_t d = type == RK_Q6_K ? 208 : 0;
      std::vector<char> kept(fields + d, fields + d + scales);
      memset(fields, byte, block);
      memcpy(fields + d, kept.data(), scales);
      if (none) memset(fields + d, 0, 2);
    }
    dequantize(ggml, w);
    for (int64_t n : {1, 7}) {
      std::vector<float> x(n * k);
      for (int64_t i = 0; i < n * k; i++) x[i] = i / k % 3 == 0 ? 1 : i / k % 3 == 1 ? -1 : i / 7 % 2 ? 0 : 1;
      std::vector<double> exact(x.size());
      for (int64_t t = 0; t < n; t++) quantize_row(rk_activation_kind(type), &x[t * k], k, &exact[t * k]);
      KernelProduct product(ggml, w, n);
      std::vector<float> first;
      for (const std::string &variant : variants()) {
        rk_choose(variant.c_str());
        const std::vector<float> out = product(x);
        if (first.empty()) first = out;
        const double error = error_of(out, w, exact, n);
        const std::string name = Case{ggml, w, n}.name() + " bytes " + std::to_string(byte) + " " + variant;
        expect(error < 3e-6, name + ": error " + std::to_string(error * 1e6) + "e-6");
        expect(same_bits(out, first), name + ": other bits");
      }
    }
  }
}

// Norm and SwiGLU before the product, against f64. A last bit may turn an int8 over: 1/127 of one of 1,120 elements.
static void check_fused(const Ggml &ggml, int type, int64_t k) {
  const Weights w = random_weights(ggml, type, 40, k, 9);
  for (int64_t n : {1, 5, 33}) {
    const std::vector<float> x = normal(n * k, 11, 2), up = normal(n * k, 12), factors = normal(k, 13);
    for (int how : {RK_NORM, RK_SWIGLU}) {
      KernelProduct product(ggml, w, n, how);
      const std::vector<float> &b = how == RK_NORM ? factors : up;
      memcpy(product.b->data, b.data(), b.size() * sizeof(float));
      std::vector<float> input(n * k);
      std::vector<double> rounded(n * k);
      for (int64_t t = 0; t < n; t++) {
        double squares = 0;
        for (int64_t i = 0; i < k; i++) squares += (double)x[t * k + i] * x[t * k + i];
        for (int64_t i = t * k; i < (t + 1) * k; i++)
          input[i] = how == RK_NORM ? x[i] / sqrt(squares / k + 1e-5f) * factors[i - t * k] : x[i] / (1 + exp(-x[i])) * up[i];
        quantize_row(rk_activation_kind(type), &input[t * k], k, &rounded[t * k]);
      }
      for (const std::string &variant : variants()) {
        rk_choose(variant.c_str());
        const double error = error_of(product(x), w, rounded, n);
        expect(error < 2e-3, Case{ggml, w, n}.name() + (how == RK_NORM ? " norm " : " swiglu ") + variant + ": error " +
                                 std::to_string(error));
      }
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 3) return 1;
  const Ggml ggml(argv[1], argv[2], 1);
  rk_bind(NodeOrder::wrap((void *)ggml.get<void()>("ggml_custom_4d")), nullptr);
  std::vector<int> types = {RK_Q4_0, RK_Q4_1, RK_Q8_0, RK_Q4_K, RK_Q5_K, RK_Q6_K};
  if (argc > 3) types.assign(1, atoi(argv[3]));
  rk_choose(variants()[0].c_str());
  for (int type : types) {
    if (rk_activation_kind(type) < 0) continue;
    const int before = faults;
    const bool per_32 = rk_activation_kind(type) == RK_PER_32;
    const std::vector<std::pair<int64_t, int64_t>> shapes =
        per_32 ? std::vector<std::pair<int64_t, int64_t>>{{128, 1024}, {144, 1408}, {1, 32}, {23, 96}, {300, 2080}, {16, 4096}}
               : std::vector<std::pair<int64_t, int64_t>>{{128, 1024}, {144, 1280}, {1, 256}, {23, 768}, {300, 2304}, {16, 4096}};
    for (auto [rows, k] : shapes) {
      const Weights w = random_weights(ggml, type, rows, k, (unsigned)rows);
      for (int64_t n = 1; n <= 33; n += rows == 23 ? 1 : 5) check_numbers({ggml, w, n});
      if (rows >= 100)
        for (int64_t n : {1, 9}) check_error({ggml, w, n});
      for (int64_t n : {1, 2, 15, 16, 17, 33, 64}) check_one_answer({ggml, w, n});
      check_one_answer({ggml, w, 513});
      if (type == RK_Q4_0 && rows % 8 == 0)
        for (int64_t n : {1, 2, 3, 5, 8, 16, 17, 33, 64}) {
          check_equal_to_ggml({ggml, w, n}, normal(n * k, 17));
          check_equal_to_ggml({ggml, w, n}, std::vector<float>(n * k, 0.0f));
        }
    }
    check_extremes(ggml, type, 37, per_32 ? 416 : 512);
    check_fused(ggml, type, per_32 ? 1120 : 1280);
    printf("%s: %d faults\n", traits(ggml, type)->name, faults - before);
  }
  printf("%s: %d checks, %d faults\n", rk_variants(), checks, faults);
  return faults > 0;
}
