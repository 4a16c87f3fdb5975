// Tiles of 6 pixels by 16 channels: 12 accumulators, 2 weights, 1 input. (4 by 24 spills.)

#if defined(__x86_64__)

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VK_FUSED 1
#define VK_BLOCKS 1
#define VK_PIXELS 6
#define VK_DEPTHWISE_PIXELS 6
#define VK_DEPTHWISE_RUNS 0
#define VK_BURN_CHAINS 6

#define VK_SIX(T, a, R, B, S, L)                                                       \
  T(a, R, 1, B, S, L) T(a, R, 2, B, S, L) T(a, R, 3, B, S, L) T(a, R, 4, B, S, L)      \
  T(a, R, 5, B, S, L) T(a, R, 6, B, S, L)
#define VK_TILE_LIST(T, B)                                                             \
  VK_SIX(T, dense_lanes, 1, B, 16, 16)                                                 \
  T(dense_lanes, 2, 1, B, 16, 16) T(dense_lanes, 2, 2, B, 16, 16)                      \
  T(dense_lanes, 2, 3, B, 16, 16)                                                      \
  T(dense_lanes, 3, 1, B, 16, 16) T(dense_lanes, 3, 2, B, 16, 16)                      \
  T(dense_lanes, 4, 1, B, 16, 16)                                                      \
  VK_SIX(T, every_second, 1, B, 32, 16)                                                \
  VK_SIX(T, any_lanes, 1, B, 0, 16)                                                    \
  VK_SIX(T, plain_1, 1, B, 1, 1)                                                       \
  VK_SIX(T, plain_2, 1, B, 2, 1)                                                       \
  VK_SIX(T, plain_4, 1, B, 4, 1)                                                       \
  VK_SIX(T, any_plain, 1, B, 0, 1)
#define VK_DEPTHWISE_LIST(T) T(1) T(2) T(3) T(4) T(5) T(6)
#define VK_PRODUCT_LIST(T) VK_DEPTHWISE_LIST(T)
#define VK_WIDE_PRODUCT_LIST(T) T(1, 2) T(2, 1)

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "kernels/all.h"
const vk_kernels vk_kernels_avx2 = VK_TABLE;
#pragma clang attribute pop

#endif
