// Tiles of 5 pixels by 16 channels: 20 accumulators, 4 weights, 1 input.

#if defined(__aarch64__)

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VK_FUSED 1
#define VK_BLOCKS 1
#define VK_PIXELS 5
#define VK_DEPTHWISE_PIXELS 5
#define VK_DEPTHWISE_RUNS 0
#define VK_BURN_CHAINS 5

#define VK_FIVE(T, a, R, B, S, L)                                                      \
  T(a, R, 1, B, S, L) T(a, R, 2, B, S, L) T(a, R, 3, B, S, L) T(a, R, 4, B, S, L)      \
  T(a, R, 5, B, S, L)
#define VK_TILE_LIST(T, B)                                                             \
  VK_FIVE(T, dense_lanes, 1, B, 16, 16)                                                \
  T(dense_lanes, 2, 1, B, 16, 16) T(dense_lanes, 2, 2, B, 16, 16)                      \
  T(dense_lanes, 3, 1, B, 16, 16) T(dense_lanes, 4, 1, B, 16, 16)                      \
  VK_FIVE(T, every_second, 1, B, 32, 16)                                               \
  VK_FIVE(T, any_lanes, 1, B, 0, 16)                                                   \
  VK_FIVE(T, plain_1, 1, B, 1, 1)                                                      \
  VK_FIVE(T, plain_2, 1, B, 2, 1)                                                      \
  VK_FIVE(T, plain_4, 1, B, 4, 1)                                                      \
  VK_FIVE(T, any_plain, 1, B, 0, 1)
#define VK_DEPTHWISE_LIST(T) T(1) T(2) T(3) T(4) T(5)
#define VK_PRODUCT_LIST(T) VK_DEPTHWISE_LIST(T)
#define VK_WIDE_PRODUCT_LIST(T) T(1, 2) T(2, 1)

#include "kernels/all.h"
const vk_kernels vk_kernels_neon = VK_TABLE;

#endif
