// Sixteen floats as one value: one AVX-512 register, two of AVX2, four of NEON or SSE.
//
// Included once per instruction set, inside the functions' target attribute. The includer defines
//   VK_FUSED        1: multiply-add rounds once; 0: twice
//   VK_BLOCKS       output blocks one convolution tile covers: 1 or 2
//   VK_PIXELS       most pixels of a tile
//   VK_DEPTHWISE_PIXELS  the same for depthwise tiles
//   VK_DEPTHWISE_RUNS    1: registers are left to take taps side by side together
//   VK_PERMUTE(v, index)  v[index[l]] for every lane l, if there is an instruction for it
//   VK_BURN_CHAINS       multiply-adds in flight that saturate the machine
// and names the tiles that exist (`VK_TILE_LIST`, see convolution.h).

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

// Every rounding is written down: the compiler may not fuse on its own.
#pragma STDC FP_CONTRACT OFF
// Vectors only travel through inlined functions, so their calling convention does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

#define VK_INLINE static inline __attribute__((always_inline))
#define VK_UNROLL _Pragma("clang loop unroll(full)")

typedef float v16 __attribute__((ext_vector_type(16)));
typedef int32_t m16 __attribute__((ext_vector_type(16)));   // comparison result: 0 or -1 per lane
typedef uint16_t u16 __attribute__((ext_vector_type(16)));  // indices and masks per lane
typedef bool b16 __attribute__((ext_vector_type(16)));

typedef v16 v16_unaligned __attribute__((aligned(4), may_alias));
typedef u16 u16_unaligned __attribute__((aligned(2), may_alias));

VK_INLINE v16 load(const float *p) { return *(const v16_unaligned *)p; }
VK_INLINE void store(float *p, v16 v) { *(v16_unaligned *)p = v; }

// Brings one line into the second-level cache.
VK_INLINE void fetch_ahead(const float *p) { __builtin_prefetch(p, 0, 2); }

VK_INLINE v16 load_part(const float *p, int count) {
  v16 v = (v16)(0.0f);
  memcpy(&v, p, (size_t)count * sizeof(float));
  return v;
}

VK_INLINE void store_part(float *p, v16 v, int count) {
  memcpy(p, &v, (size_t)count * sizeof(float));
}

// a * b + c
VK_INLINE v16 multiply_add(v16 a, v16 b, v16 c) {
#if VK_FUSED
  return __builtin_elementwise_fma(a, b, c);
#else
  return a * b + c;
#endif
}

// A bound never replaces a NaN: `x` is the second operand of both comparisons.
VK_INLINE v16 at_least(v16 x, v16 bound) { return bound > x ? bound : x; }
VK_INLINE v16 at_most(v16 x, v16 bound) { return bound < x ? bound : x; }

VK_INLINE v16 magnitude(v16 x) { return __builtin_elementwise_abs(x); }

// Bit l of the result = lane l of the comparison.
VK_INLINE uint16_t bits_of(m16 mask) {
  const b16 lanes = __builtin_convertvector(mask, b16);
  uint16_t bits;
  memcpy(&bits, &lanes, sizeof bits);
  return bits;
}

VK_INLINE m16 mask_of(uint16_t bits) {
#if defined(VK_MASK_REGISTERS)
  b16 lanes;
  memcpy(&lanes, &bits, sizeof bits);
  return __builtin_convertvector(lanes, m16) != 0;
#else
  const m16 lane_bits = {1 << 0, 1 << 1, 1 << 2,  1 << 3,  1 << 4,  1 << 5,  1 << 6,  1 << 7,
                         1 << 8, 1 << 9, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15};
  return ((m16)(int32_t)bits & lane_bits) != 0;
#endif
}

// Lane l of the result = lane index[l] of v.
VK_INLINE v16 permuted(v16 v, m16 index) {
#if defined(VK_PERMUTE)
  return VK_PERMUTE(v, index);
#else
  v16 result;
  VK_UNROLL for (int l = 0; l < VK_LANES; l++) result[l] = v[index[l]];
  return result;
#endif
}

// MARK: Transposition

// Exchanges the off-diagonal d x d blocks of rows i and i + d.
#define VK_EXCHANGE(r, i, d)                                                \
  do {                                                                      \
    const v16 a_ = r[i], b_ = r[(i) + (d)];                                 \
    r[i] = __builtin_shufflevector(a_, b_, VK_FIRST_##d);                   \
    r[(i) + (d)] = __builtin_shufflevector(a_, b_, VK_SECOND_##d);          \
  } while (0)
#define VK_FIRST_8 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23
#define VK_SECOND_8 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31
#define VK_FIRST_4 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27
#define VK_SECOND_4 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31
#define VK_FIRST_2 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29
#define VK_SECOND_2 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31
#define VK_FIRST_1 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30
#define VK_SECOND_1 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31

// Row i, lane l becomes row l, lane i.
VK_INLINE void transpose(v16 r[16]) {
  VK_UNROLL for (int i = 0; i < 8; i++) VK_EXCHANGE(r, i, 8);
  VK_UNROLL for (int i = 0; i < 16; i++) {
    if ((i & 4) == 0) VK_EXCHANGE(r, i, 4);
  }
  VK_UNROLL for (int i = 0; i < 16; i++) {
    if ((i & 2) == 0) VK_EXCHANGE(r, i, 2);
  }
  VK_UNROLL for (int i = 0; i < 16; i++) {
    if ((i & 1) == 0) VK_EXCHANGE(r, i, 1);
  }
}

// MARK: Division of work

// The first of the units that part `i` of `parts` gets; part i ends where part i + 1 begins.
VK_INLINE int64_t part_begin(int64_t units, int64_t parts, int64_t i) {
  return units / parts * i + (i < units % parts ? i : units % parts);
}

// The same division, with quotient and remainder taken once.
typedef struct {
  int64_t size, extra;  // the first `extra` parts have one unit more than `size`
} even_parts;

VK_INLINE even_parts even_parts_of(int64_t units, int64_t parts) {
  return (even_parts){.size = units / parts, .extra = units % parts};
}

VK_INLINE int64_t begin_of(even_parts parts, int64_t i) {
  return parts.size * i + (i < parts.extra ? i : parts.extra);
}

VK_INLINE int64_t size_of(even_parts parts, int64_t i) { return parts.size + (i < parts.extra); }

VK_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
VK_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
VK_INLINE int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }
