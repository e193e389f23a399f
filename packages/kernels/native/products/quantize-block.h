// The arithmetic of quantizing: sums in a fixed order of lanes, and an exponential of our own. Include byte-sums-avx2.h
// or byte-sums-neon.h first, for `Lanes` and sums of bytes.
#pragma once

namespace {

using V = Lanes::V;

// 32 f32 times `scale`, rounded to the nearest int8.
static inline Lanes::Bytes scaled_bytes(const V v[4], float scale) {
  Lanes::Ints i[4];
  for (int j = 0; j < 4; j++) i[j] = Lanes::nearest(Lanes::mul(v[j], Lanes::all(scale)));
  return Lanes::to_bytes(i);
}

// As ggml's Q8_0: d = f16(max|v| / 127), q = round(v * (127 / max|v|)).
static inline void quantize_block(const V v[4], int8_t *q, float *d, int32_t *offset) {
  V m = Lanes::magnitude(v[0]);
  for (int i = 1; i < 4; i++) m = Lanes::max(m, Lanes::magnitude(v[i]));
  const float most = Lanes::largest(m);
  const Lanes::Bytes bytes = scaled_bytes(v, most != 0 ? 127.0f / most : 0.0f);
  Lanes::store(q, bytes);
  *d = Lanes::from_half(Lanes::to_half(most / 127.0f));
  *offset = -8 * sum_of_bytes(bytes);
}

// As ggml's Q8_K, but that d is positive: q = round(v * (127 / max|v|)), d = 1 / (127 / max|v|).
static inline void quantize_superblock(const float v[256], const SuperblockFields &to) {
  V m = Lanes::all(0);
  for (int i = 0; i < 256; i += 8) m = Lanes::max(m, Lanes::magnitude(Lanes::load(v + i)));
  const float most = Lanes::largest(m), inverse = most != 0 ? 127.0f / most : 0.0f;
  *to.d = most != 0 ? 1.0f / inverse : 0.0f;
  for (int part = 0; part < 8; part++) {
    V four[4];
    for (int i = 0; i < 4; i++) four[i] = Lanes::load(v + part * 32 + i * 8);
    const Lanes::Bytes bytes = scaled_bytes(four, inverse);
    Lanes::store(to.q + part * 32, bytes);
    sum_part(bytes, part, to);
  }
}

static inline float sum_of_squares(const float *x, int64_t k) {
  V s[4] = {Lanes::all(0), Lanes::all(0), Lanes::all(0), Lanes::all(0)};
  for (int64_t i = 0; i < k; i += 32)
    for (int j = 0; j < 4; j++) {
      const V v = Lanes::load(x + i + j * 8);
      s[j] = Lanes::fma(v, v, s[j]);
    }
  return Lanes::sum(Lanes::add(Lanes::add(s[0], s[1]), Lanes::add(s[2], s[3])));
}

// e^x within 2e-7 of it, for |x| <= 87; beyond that e^87 or e^-87. Cephes' polynomial, as in expf.
static inline V exponential(V x) {
  x = Lanes::min(Lanes::all(87.0f), Lanes::max(Lanes::all(-87.0f), x));
  const V n = Lanes::round(Lanes::mul(x, Lanes::all(1.44269504f)));
  V r = Lanes::fnma(n, Lanes::all(0.693359375f), x);
  r = Lanes::fnma(n, Lanes::all(-2.12194440e-4f), r);
  const float factors[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
  V p = Lanes::all(1.9875691500e-4f);
  for (float factor : factors) p = Lanes::fma(p, r, Lanes::all(factor));
  p = Lanes::add(Lanes::fma(p, Lanes::mul(r, r), r), Lanes::all(1.0f));
  return Lanes::mul(p, Lanes::two_to(n));
}

static inline V silu(V x) {
  return Lanes::div(x, Lanes::add(Lanes::all(1.0f), exponential(Lanes::sub(Lanes::all(0), x))));
}

}  // namespace
