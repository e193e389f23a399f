// Eight lanes of NEON, in two registers: the same functions as lanes-avx2.h, with the same bits.
#pragma once
#include <arm_neon.h>
#include <stdint.h>

namespace {

struct Lanes {
  struct V {  // 8 floats
    float32x4_t low, high;
  };
  using Four = float32x4_t;
  struct Ints {  // 8 int32
    int32x4_t low, high;
  };
  struct Bytes {  // 32 int8
    int8x16_t low, high;
  };
  static constexpr int W = 8;

  static inline V all(float x) { return {vdupq_n_f32(x), vdupq_n_f32(x)}; }
  static inline V add(V a, V b) { return {add(a.low, b.low), add(a.high, b.high)}; }
  static inline V sub(V a, V b) { return {sub(a.low, b.low), sub(a.high, b.high)}; }
  static inline V mul(V a, V b) { return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
  static inline V div(V a, V b) { return {vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)}; }
  static inline V fma(V a, V b, V c) { return {fma(a.low, b.low, c.low), fma(a.high, b.high, c.high)}; }
  static inline V fms(V a, V b, V c) { return fma(a, b, {vnegq_f32(c.low), vnegq_f32(c.high)}); }
  static inline V fnma(V a, V b, V c) { return {vfmsq_f32(c.low, a.low, b.low), vfmsq_f32(c.high, a.high, b.high)}; }
  static inline V max(V a, V b) { return {max(a.low, b.low), max(a.high, b.high)}; }
  static inline V min(V a, V b) { return choose(vcltq_f32(a.low, b.low), vcltq_f32(a.high, b.high), a, b); }
  static inline V round(V x) { return {vrndnq_f32(x.low), vrndnq_f32(x.high)}; }
  static inline V magnitude(V x) { return {vabsq_f32(x.low), vabsq_f32(x.high)}; }
  static inline V zero_below(V x, V limit, V y) {
    return choose(vcltq_f32(x.low, limit.low), vcltq_f32(x.high, limit.high), all(0), y);
  }
  static inline V two_to(V k) { return {two_to(k.low), two_to(k.high)}; }

  static inline V load(const float *p) { return {vld1q_f32(p), vld1q_f32(p + 4)}; }
  static inline V load(const uint16_t *f16) {
    const uint16x8_t halves = vld1q_u16(f16);
    return {vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(halves))),
            vcvt_f32_f16(vreinterpret_f16_u16(vget_high_u16(halves)))};
  }
  static inline V load(const int8_t *p) {
    const int16x8_t wide = vmovl_s8(vld1_s8(p));
    return {vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(wide)))};
  }
  static inline void store(float *p, V x) { store(p, x.low), store(p + 4, x.high); }
  static inline void store(uint16_t *f16, V x) {
    vst1_u16(f16, vreinterpret_u16_f16(vcvt_f16_f32(x.low)));
    vst1_u16(f16 + 4, vreinterpret_u16_f16(vcvt_f16_f32(x.high)));
  }
  static inline float from_half(uint16_t x) {
    return first(vcvt_f32_f16(vreinterpret_f16_u16(vdup_n_u16(x))));
  }
  static inline uint16_t to_half(float x) {
    return vget_lane_u16(vreinterpret_u16_f16(vcvt_f16_f32(vdupq_n_f32(x))), 0);
  }

  static inline Ints nearest(V x) { return {nearest(x.low), nearest(x.high)}; }
  static inline Bytes to_bytes(const Ints i[4]) {
    const int8x16_t least = vdupq_n_s8(-127);
    return {vmaxq_s8(vcombine_s8(vqmovn_s16(shorts(i[0])), vqmovn_s16(shorts(i[1]))), least),
            vmaxq_s8(vcombine_s8(vqmovn_s16(shorts(i[2])), vqmovn_s16(shorts(i[3]))), least)};
  }
  static inline void store(int8_t *p, Bytes x) { vst1q_s8(p, x.low), vst1q_s8(p + 16, x.high); }

  static inline Four lower(V x) { return x.low; }
  static inline Four upper(V x) { return x.high; }
  static inline V spread(Four x) { return {x, x}; }
  static inline V add_neighbours(V a, V b) { return {vpaddq_f32(a.low, b.low), vpaddq_f32(a.high, b.high)}; }

  static inline Four add(Four a, Four b) { return vaddq_f32(a, b); }
  static inline Four sub(Four a, Four b) { return vsubq_f32(a, b); }
  static inline Four max(Four a, Four b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  static inline Four fma(Four a, Four b, Four c) { return vfmaq_f32(c, a, b); }
  static inline Four load_four(const float *p) { return vld1q_f32(p); }
  static inline void store(float *p, Four x) { vst1q_f32(p, x); }
  static inline void store_low(float *p, Four x) { vst1_f32(p, vget_low_f32(x)); }
  static inline void store_high(float *p, Four x) { vst1_f32(p, vget_high_f32(x)); }
  static inline float first(Four x) { return vgetq_lane_f32(x, 0); }
  static inline Four zip_low(Four a, Four b) { return vzip1q_f32(a, b); }
  static inline Four zip_high(Four a, Four b) { return vzip2q_f32(a, b); }
  static inline Four lows(Four a, Four b) { return vcombine_f32(vget_low_f32(a), vget_low_f32(b)); }
  static inline Four highs(Four a, Four b) { return vcombine_f32(vget_high_f32(a), vget_high_f32(b)); }

  static inline float largest(V x) {
    Four m = max(x.high, x.low);
    m = max(m, highs(m, m));
    return first(max(m, vdupq_laneq_f32(m, 1)));
  }
  static inline float sum(V x) {
    const Four four = add(x.low, x.high), two = add(four, highs(four, four));
    return first(add(two, vdupq_laneq_f32(two, 1)));
  }

  static inline void rotate_pairs(float *out, const float *x, const float *cosines, const float *sines) {
    const Four c = load_four(cosines), s = load_four(sines);
    const float32x4x2_t pairs = vld2q_f32(x);
    const Four a = pairs.val[0], b = pairs.val[1];
    const float32x4x2_t rotated = {{fma(a, c, vnegq_f32(vmulq_f32(b, s))), fma(a, s, vmulq_f32(b, c))}};
    vst2q_f32(out, rotated);
  }

 private:
  static inline V choose(uint32x4_t low, uint32x4_t high, V a, V b) {
    return {vbslq_f32(low, a.low, b.low), vbslq_f32(high, a.high, b.high)};
  }
  static inline Four two_to(Four k) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(nearest(k), vdupq_n_s32(127)), 23));
  }
  // NEON alone would make 0 of NaN, and INT32_MAX of what is too large.
  static inline int32x4_t nearest(Four x) {
    const uint32x4_t fits = vcltq_f32(vabsq_f32(x), vdupq_n_f32(2147483648.0f));
    return vbslq_s32(fits, vcvtnq_s32_f32(x), vdupq_n_s32(INT32_MIN));
  }
  static inline int16x8_t shorts(Ints x) { return vcombine_s16(vqmovn_s32(x.low), vqmovn_s32(x.high)); }
};

}  // namespace
