// Random numbers that are the same with every compiler and on every processor.
#pragma once
#include <stdint.h>
#include <string.h>

#include <random>
#include <vector>

inline float from_f16(uint16_t bits) {
  _Float16 x;
  memcpy(&x, &bits, sizeof x);
  return (float)x;
}

inline uint16_t to_f16(float x) {
  const _Float16 half = (_Float16)x;
  uint16_t bits;
  memcpy(&bits, &half, sizeof bits);
  return bits;
}

class Draw {
 public:
  explicit Draw(unsigned seed) : random_(seed) {}

  int below(int limit) { return (int)(random_() % (unsigned)limit); }

  // About normal, of variance 1: the sum of four even ones.
  float normal() {
    int sum = 0;
    for (int i = 0; i < 4; i++) sum += below(65536) - 32768;
    return (float)sum * (1.7320508f / 65536.0f);
  }

  std::vector<float> normals(int64_t count, float scale = 1) {
    std::vector<float> values(count);
    for (float &value : values) value = normal() * scale;
    return values;
  }

 private:
  std::mt19937 random_;  // its numbers are the standard's; those of distributions are each library's own
};
