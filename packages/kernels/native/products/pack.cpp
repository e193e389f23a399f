// Weights from GGUF's layout into that of layout.h: a copy of words of 4 bytes.
#include <string.h>

#include "layout.h"

namespace {

// One row's part of a unit: `lane` is the row's number in its group.
struct Lane {
  char *unit;
  int lane;

  void half(int at, const char *from) const { memcpy(unit + at + lane * 2, from, 2); }
  void words(int at, const char *from, int count) const {
    for (int i = 0; i < count; i++) memcpy(unit + at + i * LINE + lane * 4, from + i * 4, 4);
  }
};

// Fields of a block: where GGUF has them, in bytes, and how many words.
void pack_q4_0(const Lane &to, int block, const char *from) {
  to.half(block * 32, from);
  to.words(LINE + block * 4 * LINE, from + 2, 4);
}

void pack_q4_1(const Lane &to, int block, const char *from) {
  to.half(block * 32, from);
  to.half(LINE + block * 32, from + 2);
  to.words(2 * LINE + block * 4 * LINE, from + 4, 4);
}

void pack_q8_0(const Lane &to, int block, const char *from) {
  to.half(block * 32, from);
  to.words(LINE + block * 8 * LINE, from + 2, 8);
}

void pack_q4_k(const Lane &to, int, const char *from) {
  to.half(0, from);
  to.half(32, from + 2);
  to.words(LINE, from + 4, 3);
  to.words(4 * LINE, from + 16, 32);
}

void pack_q5_k(const Lane &to, int, const char *from) {
  to.half(0, from);
  to.half(32, from + 2);
  to.words(LINE, from + 4, 3);
  to.words(4 * LINE, from + 16, 8);
  to.words(12 * LINE, from + 48, 32);
}

void pack_q6_k(const Lane &to, int, const char *from) {
  to.half(0, from + 208);
  to.words(LINE, from + 192, 4);
  to.words(5 * LINE, from + 128, 16);
  to.words(21 * LINE, from, 32);
}

// Rows [first, first + count), whose bytes begin at src. `pack` is one of the functions above.
template <void pack(const Lane &, int, const char *)>
void pack_rows(const Packed &packed, char *dst, const char *src, int64_t blocks, int64_t first, int64_t count) {
  const Geometry form = packed.form;
  const int unit_blocks = form.unit_k / form.block_k;
  for (int64_t row = first; row < first + count; row += GROUP_ROWS)
    for (int64_t unit = 0; unit < packed.units; unit++) {
      char *to = dst + packed.at(row / GROUP_ROWS, unit);
      memset(to, 0, form.unit_bytes);
      for (int lane = 0; lane < least(GROUP_ROWS, first + count - row); lane++)
        for (int64_t block = unit * unit_blocks; block < least(blocks, (unit + 1) * unit_blocks); block++)
          pack({to, lane}, block % unit_blocks, src + ((row + lane - first) * blocks + block) * form.block_bytes);
    }
}

typedef void (*PackRows)(const Packed &, char *, const char *, int64_t, int64_t, int64_t);

PackRows pack_rows_of(int type) {
  switch (type) {
    case RK_Q4_0: return pack_rows<pack_q4_0>;
    case RK_Q4_1: return pack_rows<pack_q4_1>;
    case RK_Q8_0: return pack_rows<pack_q8_0>;
    case RK_Q4_K: return pack_rows<pack_q4_k>;
    case RK_Q5_K: return pack_rows<pack_q5_k>;
    default: return pack_rows<pack_q6_k>;
  }
}

}  // namespace

RK_API size_t rk_packed_bytes(int type, int64_t rows, int64_t k) {
  const Geometry form = geometry(type);
  if (form.block_k == 0 || rows <= 0 || k <= 0 || k % form.block_k != 0) return 0;
  return Packed(type, rows, k).bytes() + LINE;
}

RK_API void rk_pack(void *dst, const void *src, int type, int64_t rows, int64_t k, int64_t first, int64_t count) {
  const Packed packed(type, rows, k);
  pack_rows_of(type)(packed, first_line(dst), (const char *)src, k / packed.form.block_k, first, count);
}
