// Tiles of 14 pixels by 32 channels: 28 accumulators, 2 weights, inputs broadcast from memory.

#if defined(__x86_64__)

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VK_FUSED 1
#define VK_MASK_REGISTERS 1
#define VK_BLOCKS 2
#define VK_PIXELS 14
#define VK_DEPTHWISE_PIXELS 14
#define VK_DEPTHWISE_RUNS 1
#define VK_PERMUTE(v, index) __builtin_ia32_permvarsf512(v, index)
#define VK_BURN_CHAINS 12

#define VK_SIX(T, a, R, B, S, L)                                                       \
  T(a, R, 1, B, S, L) T(a, R, 2, B, S, L) T(a, R, 3, B, S, L) T(a, R, 4, B, S, L)      \
  T(a, R, 5, B, S, L) T(a, R, 6, B, S, L)
#define VK_FOURTEEN(T, a, R, B, S, L)                                                  \
  VK_SIX(T, a, R, B, S, L)                                                             \
  T(a, R, 7, B, S, L) T(a, R, 8, B, S, L) T(a, R, 9, B, S, L) T(a, R, 10, B, S, L)     \
  T(a, R, 11, B, S, L) T(a, R, 12, B, S, L) T(a, R, 13, B, S, L) T(a, R, 14, B, S, L)
#define VK_TILE_LIST(T, B)                                                             \
  VK_FOURTEEN(T, dense_lanes, 1, B, 16, 16)                                            \
  VK_SIX(T, dense_lanes, 2, B, 16, 16) T(dense_lanes, 2, 7, B, 16, 16)                 \
  T(dense_lanes, 3, 1, B, 16, 16) T(dense_lanes, 3, 2, B, 16, 16)                      \
  T(dense_lanes, 3, 3, B, 16, 16) T(dense_lanes, 3, 4, B, 16, 16)                      \
  T(dense_lanes, 4, 1, B, 16, 16) T(dense_lanes, 4, 2, B, 16, 16)                      \
  T(dense_lanes, 4, 3, B, 16, 16)                                                      \
  VK_FOURTEEN(T, every_second, 1, B, 32, 16)                                           \
  VK_SIX(T, any_lanes, 1, B, 0, 16)                                                    \
  VK_FOURTEEN(T, plain_1, 1, B, 1, 1)                                                  \
  VK_FOURTEEN(T, plain_2, 1, B, 2, 1)                                                  \
  VK_FOURTEEN(T, plain_4, 1, B, 4, 1)                                                  \
  VK_SIX(T, any_plain, 1, B, 0, 1)
#define VK_DEPTHWISE_LIST(T) \
  T(1) T(2) T(3) T(4) T(5) T(6) T(7) T(8) T(9) T(10) T(11) T(12) T(13) T(14)
#define VK_PRODUCT_LIST(T) VK_DEPTHWISE_LIST(T)
#define VK_WIDE_PRODUCT_LIST(T) T(1, 4) T(2, 4) T(3, 2) T(4, 2)

#pragma clang attribute push(                                                          \
  __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"))), apply_to = function)
#include "kernels/all.h"
const vk_kernels vk_kernels_avx512 = VK_TABLE;
#pragma clang attribute pop

#endif
