// Minimal filtering F(T x T, 3 x 3) for T = 4 and T = 2: a patch of T + 2 by T + 2 inputs is evaluated at as many
// points, where convolution is one product each, summed over channels; T x T outputs are interpolated from
// the sums. Tiles of 4 save most; tiles of 2 have fewer weights to read, and fit small maps.

enum { most_product_tiles = 56, group_width = 32, second_level_floats = 1 << 18 };

// Points are an odd number of cache lines apart: neighbours must not share cache sets.
VK_INLINE int64_t points_apart(int64_t tiles, int64_t blocks) {
  return (tiles * blocks | 1) * VK_LANES;
}

typedef double d16 __attribute__((ext_vector_type(16)));

// Scratch memory: for each thread its own tiles and sums, then the tiles that all share.
typedef struct {
  int64_t own, shared;
} winograd_memory;

typedef struct {
  int64_t image, row, column;  // of its first output pixel
} tile_place;

typedef struct {
  const vk_winograd *op;
  planes planes;
  tile tile;
  int64_t columns, per_image, tiles;  // tiles across, of one image, of all images
  int64_t at_once;
  int64_t first, count;               // tiles in shared memory, if outputs are split
  int64_t point_stride;               // floats between points of transformed inputs
  float *shared, *scratch;
  int64_t scratch_stride;             // floats for each thread
  int64_t groups, output_parts, tile_parts;
  repeats *repeats;  // NULL: not looked for
  bool fetches;      // whether the planes are beyond the second-level cache
} winograd_job;

// MARK: Products

typedef struct {
  const float *in;  // [input block][tiles][16]
  int64_t in_block, in_blocks;
  const float *weights;
  int64_t width;
  const float *ahead;  // weights needed later, as in tile.h
  float *out;          // [tile][width]
} point_product;

// One point of Q tiles by B output blocks.
VK_INLINE void multiply_point(const int Q, const int B, const point_product *t) {
  v16 sums[VK_PIXELS * VK_BLOCKS];
  VK_UNROLL for (int i = 0; i < Q * B; i++) sums[i] = (v16)(0.0f);
  const int64_t width = B == 2 ? group_width : t->width, in_block = t->in_block;
  const float *in = t->in, *weights = t->weights, *ahead = t->ahead;
  for (int64_t block = 0; block < t->in_blocks; block++) {
#pragma clang loop unroll_count(4)
    for (int i = 0; i < VK_LANES; i++) {
      v16 w[2];
      fetch_ahead(ahead);
      ahead += VK_LANES;
      VK_UNROLL for (int b = 0; b < B; b++) w[b] = load(weights + b * VK_LANES);
      VK_UNROLL for (int q = 0; q < Q; q++) {
        const v16 value = (v16)(in[q * VK_LANES + i]);
        VK_UNROLL for (int b = 0; b < B; b++) {
          sums[b * Q + q] = multiply_add(value, w[b], sums[b * Q + q]);
        }
      }
      weights += width;
    }
    in += in_block;
  }
  VK_UNROLL for (int q = 0; q < Q; q++) {
    VK_UNROLL for (int b = 0; b < B; b++) {
      store(t->out + q * width + b * VK_LANES, sums[b * Q + q]);
    }
  }
}

typedef void (*point_function)(const point_product *);

#define DEFINE_POINT(Q)                                                                     \
  static void multiply_point_1_##Q(const point_product *t) { multiply_point(Q, 1, t); }     \
  static void multiply_point_2_##Q(const point_product *t) { multiply_point(Q, VK_BLOCKS, t); }
#define LIST_POINT_1(Q) [Q - 1] = multiply_point_1_##Q,
#define LIST_POINT_2(Q) [Q - 1] = multiply_point_2_##Q,

VK_PRODUCT_LIST(DEFINE_POINT)

static const point_function point_functions[2][VK_PIXELS] = {
  {VK_PRODUCT_LIST(LIST_POINT_1)}, {VK_PRODUCT_LIST(LIST_POINT_2)}};

// MARK: Tiles

#define VK_TILE 4
#include "winograd_tiles.h"
#undef VK_TILE
#define VK_TILE 2
#include "winograd_tiles.h"
#undef VK_TILE

static int64_t winograd_scratch(const vk_winograd *op, int threads) {
  return op->tile == 2 ? winograd_scratch_2(op, threads) : winograd_scratch_4(op, threads);
}

static void run_winograd(const vk_winograd *op, void *const *buffers, vk_team *team) {
  if (op->tile == 2) {
    run_winograd_2(op, buffers, team);
  } else {
    run_winograd_4(op, buffers, team);
  }
}

static void pack_winograd(
  float *packed, const float *source, size_t inputs, size_t outputs, size_t width,
  int64_t input_stride, int64_t output_stride, int rotated, int tile) {
  (tile == 2 ? pack_winograd_2 : pack_winograd_4)(
    packed, source, inputs, outputs, width, input_stride, output_stride, rotated);
}
