// Whatever vectors the compiler assumes (SSE2 on x86-64), multiplications and additions apart.
// Tiles of 2 pixels by 16 channels.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VK_FUSED 0
#define VK_BLOCKS 1
#define VK_PIXELS 2
#define VK_DEPTHWISE_PIXELS 2
#define VK_DEPTHWISE_RUNS 0
#define VK_BURN_CHAINS 3

#define VK_TWO(T, a, R, B, S, L) T(a, R, 1, B, S, L) T(a, R, 2, B, S, L)
#define VK_TILE_LIST(T, B)                                                             \
  VK_TWO(T, dense_lanes, 1, B, 16, 16)                                                 \
  T(dense_lanes, 2, 1, B, 16, 16)                                                      \
  VK_TWO(T, every_second, 1, B, 32, 16)                                                \
  VK_TWO(T, any_lanes, 1, B, 0, 16)                                                    \
  VK_TWO(T, plain_1, 1, B, 1, 1)                                                       \
  VK_TWO(T, plain_2, 1, B, 2, 1)                                                       \
  VK_TWO(T, plain_4, 1, B, 4, 1)                                                       \
  VK_TWO(T, any_plain, 1, B, 0, 1)
#define VK_DEPTHWISE_LIST(T) T(1) T(2)
#define VK_PRODUCT_LIST(T) VK_DEPTHWISE_LIST(T)
#define VK_WIDE_PRODUCT_LIST(T)

#include "kernels/all.h"
const vk_kernels vk_kernels_portable = VK_TABLE;
