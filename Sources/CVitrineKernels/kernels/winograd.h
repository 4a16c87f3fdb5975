// Minimal filtering F(4 x 4, 3 x 3): a patch of 6 x 6 inputs is evaluated at 36 points, where convolution
// is one product each, summed over channels; 4 x 4 outputs are interpolated from the 36 sums.
//
// The six points of one dimension are 0, a, -a, b, -b and infinity. With a = 5/8 and b = 3/2 rounding
// errors are about half those of the usual 1 and 2, and all constants of inputs and outputs are exact.

enum { tile_side = 4, patch_side = 6, point_count = patch_side * patch_side };

static const double point_a = 0.625, point_b = 1.5;

// MARK: Transforms of one dimension

VK_INLINE void evaluate_at_points(const v16 d[patch_side], v16 points[patch_side]) {
  const float a = (float)point_a, b = (float)point_b;
  const float aa = a * a, bb = b * b;
  const v16 even_a = multiply_add(d[2], (v16)(-bb), d[4]);
  const v16 odd_a = multiply_add(d[1], (v16)(-bb), d[3]);
  const v16 even_b = multiply_add(d[2], (v16)(-aa), d[4]);
  const v16 odd_b = multiply_add(d[1], (v16)(-aa), d[3]);
  points[0] =
    multiply_add(d[0], (v16)(aa * bb), multiply_add(d[2], (v16)(-(aa + bb)), d[4]));
  points[1] = multiply_add(odd_a, (v16)(a), even_a);
  points[2] = multiply_add(odd_a, (v16)(-a), even_a);
  points[3] = multiply_add(odd_b, (v16)(b), even_b);
  points[4] = multiply_add(odd_b, (v16)(-b), even_b);
  points[5] =
    multiply_add(d[1], (v16)(aa * bb), multiply_add(d[3], (v16)(-(aa + bb)), d[5]));
}

VK_INLINE void interpolate(const v16 points[patch_side], v16 y[tile_side]) {
  const float a = (float)point_a, b = (float)point_b;
  const v16 sum_a = points[1] + points[2], difference_a = points[1] - points[2];
  const v16 sum_b = points[3] + points[4], difference_b = points[3] - points[4];
  y[0] = points[0] + (sum_a + sum_b);
  y[1] = multiply_add(difference_b, (v16)(b), difference_a * (v16)(a));
  y[2] = multiply_add(sum_b, (v16)(b * b), sum_a * (v16)(a * a));
  y[3] = points[5]
         + multiply_add(difference_b, (v16)(b * b * b), difference_a * (v16)(a * a * a));
}

// MARK: One operation

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
} winograd_job;

// Points are an odd number of cache lines apart: neighbours must not share cache sets.
VK_INLINE int64_t points_apart(int64_t tiles, int64_t blocks) {
  return (tiles * blocks | 1) * VK_LANES;
}

enum { most_product_tiles = 56, group_width = 32 };

typedef struct {
  int64_t image, row, column;  // of its first output pixel
} tile_place;

VK_INLINE void step(const winograd_job *job, tile_place *place) {
  place->column += tile_side;
  if (place->column < job->planes.width) return;
  place->column = 0;
  place->row += tile_side;
  if (place->row < job->planes.height) return;
  place->row = 0;
  place->image++;
}

VK_INLINE tile_place tile_place_of(const winograd_job *job, int64_t index) {
  const int64_t within = index % job->per_image;
  return (tile_place){
    .image = index / job->per_image,
    .row = within / job->columns * tile_side,
    .column = within % job->columns * tile_side,
  };
}

// MARK: Inputs

// Evaluates 6 x 6 pixels of one block at all points.
VK_INLINE void transform_patch(
  const float *in, int64_t row, float *points, int64_t point_stride) {
  v16 half[patch_side][patch_side];
  VK_UNROLL for (int x = 0; x < patch_side; x++) {
    v16 column[patch_side], values[patch_side];
    VK_UNROLL for (int y = 0; y < patch_side; y++) column[y] = load(in + y * row + x * VK_LANES);
    evaluate_at_points(column, values);
    VK_UNROLL for (int y = 0; y < patch_side; y++) half[y][x] = values[y];
  }
  VK_UNROLL for (int y = 0; y < patch_side; y++) {
    v16 values[patch_side];
    evaluate_at_points(half[y], values);
    VK_UNROLL for (int x = 0; x < patch_side; x++) {
      store(points + (y * patch_side + x) * point_stride, values[x]);
    }
  }
}

// Transforms tiles `first..<first + count`: tile t is pixel t + at of planes `[point][block][tiles][16]`.
static void transform_inputs(
  const winograd_job *job, int64_t first, int64_t count, float *points, int64_t tiles, int64_t at,
  int64_t point_stride) {
  const planes *p = &job->planes;
  float patch[patch_side * patch_side * VK_LANES];
  for (int64_t block = 0; block < job->op->input_blocks; block++) {
    tile_place place = tile_place_of(job, first);
    for (int64_t t = 0; t < count; t++, step(job, &place)) {
      const int64_t rows = smaller(p->height + 2 - place.row, patch_side);
      const int64_t columns = smaller(p->width + 2 - place.column, patch_side);
      const float *in =
        plane_row(&p->input, place.image, block, place.row) + place.column * VK_LANES;
      float *out = points + (block * tiles + at + t) * VK_LANES;
      if (
        block == 0 && job->repeats && !job->repeats->found
        && patch_may_repeat(
          in, p->input.row, p->input.block, job->op->input_blocks, rows, columns)) {
        job->repeats->found = true;
      }
      if (rows == patch_side && columns == patch_side) {
        transform_patch(in, p->input.row, out, point_stride);
        continue;
      }
      // Zeros past the planes: what lies there may not take part.
      memset(patch, 0, sizeof patch);
      for (int64_t y = 0; y < rows; y++) {
        memcpy(
          patch + y * patch_side * VK_LANES, in + y * p->input.row,
          (size_t)columns * VK_LANES * sizeof(float));
      }
      transform_patch(patch, patch_side * VK_LANES, out, point_stride);
    }
  }
}

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

// MARK: Outputs

// Interpolates and finishes the outputs of one tile and block.
VK_INLINE void finish_outputs(
  const winograd_job *job, tile *t, const float *points, int64_t point_stride, tile_place place,
  int64_t block) {
  const planes *p = &job->planes;
  const int64_t rows = smaller(p->height - place.row, tile_side);
  const int64_t columns = smaller(p->width - place.column, tile_side);
  v16 half[tile_side][patch_side];
  VK_UNROLL for (int x = 0; x < patch_side; x++) {
    v16 column[patch_side], values[tile_side];
    VK_UNROLL for (int y = 0; y < patch_side; y++) {
      column[y] = load(points + (y * patch_side + x) * point_stride);
    }
    interpolate(column, values);
    VK_UNROLL for (int y = 0; y < tile_side; y++) half[y][x] = values[y];
  }
  VK_UNROLL for (int y = 0; y < tile_side; y++) {
    if (y < rows) {
      v16 row[tile_side];
      interpolate(half[y], row);
      place_tile(
        t, p, job->op->epilogue.bias, place.image, block, place.row + y, place.column);
      switch (columns) {
        case 1: finish_tile(1, 1, 1, row, t); break;
        case 2: finish_tile(1, 2, 1, row, t); break;
        case 3: finish_tile(1, 3, 1, row, t); break;
        default: finish_tile(1, 4, 1, row, t); break;
      }
    }
  }
}

// Multiplies tiles `at..<at + count` of transformed inputs by one group of weights and finishes their
// outputs. `first` is the index of tile `at` in the operation.
static void multiply_and_finish(
  const winograd_job *job, int64_t group, int64_t first, int64_t count, const float *inputs,
  int64_t tiles, int64_t at, int64_t point_stride, float *sums) {
  const vk_winograd *op = job->op;
  const int64_t blocks = smaller(2, op->output_blocks - 2 * group);
  const int64_t width = blocks * VK_LANES;
  const int64_t lanes = (int64_t)op->input_blocks * VK_LANES;
  const float *weights = op->weights + group * point_count * lanes * group_width;
  const int64_t parts = divide_up(count, VK_PIXELS);
  const even_parts sizes = even_parts_of(count, parts);
  const int64_t sum_stride = points_apart(count, blocks);
  for (int64_t point = 0; point < point_count; point++) {
    for (int64_t part = 0; part < parts; part++) {
      const int64_t begin = begin_of(sizes, part);
      for (int64_t done = 0; done < blocks; done += VK_BLOCKS) {
        const float *own = weights + point * lanes * width;
        const point_product product = {
          .in = inputs + point * point_stride + (at + begin) * VK_LANES,
          .in_block = tiles * VK_LANES,
          .in_blocks = op->input_blocks,
          .weights = own + done * VK_LANES,
          .ahead = done == 0 && part < blocks ? own + (blocks + part) * lanes * VK_LANES : own,
          .width = width,
          .out = sums + point * sum_stride + begin * width + done * VK_LANES,
        };
        const int64_t together = smaller(blocks - done, VK_BLOCKS);
        point_functions[together - 1][size_of(sizes, part) - 1](&product);
      }
    }
  }
  tile t = job->tile;
  for (int64_t b = 0; b < blocks; b++) {
    tile_place place = tile_place_of(job, first);
    for (int64_t i = 0; i < count; i++, step(job, &place)) {
      finish_outputs(
        job, &t, sums + i * width + b * VK_LANES, sum_stride, place, 2 * group + b);
    }
  }
}

// MARK: Division among threads

// Each thread takes its own tiles through all steps.
static void winograd_tiles_chunk(const void *context, int chunk) {
  const winograd_job *job = context;
  const int64_t first = part_begin(job->tiles, job->tile_parts, chunk);
  const int64_t count = part_begin(job->tiles, job->tile_parts, chunk + 1) - first;
  const int64_t point_stride = points_apart(count, job->op->input_blocks);
  float *inputs = job->scratch + vk_team_member() * job->scratch_stride;
  float *sums = inputs + point_count * point_stride;
  transform_inputs(job, first, count, inputs, count, 0, point_stride);
  for (int64_t group = 0; group < job->groups; group++) {
    multiply_and_finish(job, group, first, count, inputs, count, 0, point_stride, sums);
  }
}

// Part of the inputs that all threads share.
static void winograd_inputs_chunk(const void *context, int chunk) {
  const winograd_job *job = context;
  const int64_t begin = part_begin(job->count, job->tile_parts, chunk);
  const int64_t end = part_begin(job->count, job->tile_parts, chunk + 1);
  transform_inputs(
    job, job->first + begin, end - begin, job->shared, job->count, begin, job->point_stride);
}

// Some tiles of some groups of outputs.
static void winograd_outputs_chunk(const void *context, int chunk) {
  const winograd_job *job = context;
  const int64_t group = chunk / job->output_parts, part = chunk % job->output_parts;
  const int64_t begin = part_begin(job->count, job->output_parts, part);
  const int64_t end = part_begin(job->count, job->output_parts, part + 1);
  multiply_and_finish(
    job, group, job->first + begin, end - begin, job->shared, job->count, begin, job->point_stride,
    job->scratch + vk_team_member() * job->scratch_stride);
}

static void divide_outputs(winograd_job *job, vk_team *team) {
  job->shared = job->scratch + team->threads * job->scratch_stride;
  const int64_t pieces = divide_up(job->tiles, job->at_once);
  for (int64_t piece = 0; piece < pieces; piece++) {
    job->first = part_begin(job->tiles, pieces, piece);
    job->count = part_begin(job->tiles, pieces, piece + 1) - job->first;
    job->point_stride = points_apart(job->count, job->op->input_blocks);
    job->tile_parts = smaller(job->count, 4 * team->threads);
    vk_team_run(team, (int)job->tile_parts, winograd_inputs_chunk, job);
    job->output_parts = divide_up(job->count, most_product_tiles);
    vk_team_run(team, (int)(job->groups * job->output_parts), winograd_outputs_chunk, job);
  }
}

// Scratch memory: for each thread its own tiles and sums, then the tiles that all share.
typedef struct {
  int64_t own, shared;
} winograd_memory;

static winograd_memory winograd_memory_of(const vk_winograd *op) {
  const int64_t columns = divide_up(op->width, tile_side), rows = divide_up(op->height, tile_side);
  const int64_t at_once = smaller(op->tiles_at_once, columns * rows * op->images);
  const int64_t inputs = point_count * points_apart(at_once, op->input_blocks);
  const int64_t multiplied = op->splits_outputs ? smaller(at_once, most_product_tiles) : at_once;
  const int64_t sums = point_count * points_apart(multiplied, 2);
  return op->splits_outputs ? (winograd_memory){.own = sums, .shared = inputs}
                            : (winograd_memory){.own = inputs + sums, .shared = 0};
}

static int64_t winograd_scratch(const vk_winograd *op, int threads) {
  const winograd_memory memory = winograd_memory_of(op);
  // Flags of repeats take the place of tiles.
  const int64_t flags = divide_up((op->height + 2LL) * (op->width + 2LL) * op->images, 4);
  return larger(larger(threads, 1) * memory.own + memory.shared, op->levels ? flags : 0);
}

static void run_winograd(const vk_winograd *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->height <= 0 || op->width <= 0 || op->output_blocks <= 0) return;
  winograd_job job = {
    .op = op,
    .planes =
      planes_of(
        &op->input, &op->output, &op->epilogue, buffers, op->images, op->height, op->width),
    .columns = divide_up(op->width, tile_side),
    .groups = divide_up(op->output_blocks, 2),
    .scratch = (float *)buffers[op->scratch_buffer] + op->scratch_offset,
  };
  job.tile = tile_for(&job.planes, &op->epilogue);
  job.per_image = job.columns * divide_up(op->height, tile_side);
  job.tiles = job.per_image * op->images;
  job.at_once = smaller(op->tiles_at_once, job.tiles);
  job.scratch_stride = winograd_memory_of(op).own;
  repeats equal = {.op = op, .planes = &job.planes, .flags = (uint8_t *)job.scratch};
  job.repeats = op->levels ? &equal : NULL;
  if (op->splits_outputs) {
    divide_outputs(&job, team);
  } else {
    job.tile_parts = divide_up(job.tiles, job.at_once);
    vk_team_run(team, (int)job.tile_parts, winograd_tiles_chunk, &job);
  }
  if (equal.found) level_repeats(&equal, team);
}

// MARK: Weights

typedef double d16 __attribute__((ext_vector_type(16)));

// The three taps of one dimension at the six points.
VK_INLINE void weights_at_points(const d16 g[3], d16 points[patch_side]) {
  const double a = point_a, b = point_b, aa = a * a, bb = b * b;
  points[0] = g[0] * (d16)(1 / (aa * bb));
  const d16 even_a = (g[0] + g[2] * (d16)(aa)) * (d16)(1 / (2 * aa * (aa - bb)));
  const d16 odd_a = g[1] * (d16)(a / (2 * aa * (aa - bb)));
  const d16 even_b = (g[0] + g[2] * (d16)(bb)) * (d16)(1 / (2 * bb * (bb - aa)));
  const d16 odd_b = g[1] * (d16)(b / (2 * bb * (bb - aa)));
  points[1] = even_a + odd_a;
  points[2] = even_a - odd_a;
  points[3] = even_b + odd_b;
  points[4] = even_b - odd_b;
  points[5] = g[2];
}

static void pack_winograd(
  float *packed, const float *source, size_t inputs, size_t outputs, size_t width,
  int64_t input_stride, int64_t output_stride, int rotated) {
  const size_t lanes = (inputs + VK_LANES - 1) / VK_LANES * VK_LANES;
  if (lanes != inputs || width != outputs) {
    memset(packed, 0, point_count * lanes * width * sizeof(float));
  }
  for (size_t i = 0; i < inputs; i++) {
    for (size_t first = 0; first < outputs; first += VK_LANES) {
      const size_t count = outputs - first < VK_LANES ? outputs - first : VK_LANES;
      v16 rows[VK_LANES];
      for (size_t o = 0; o < VK_LANES; o++) {
        const float *taps =
          source + (int64_t)i * input_stride + (int64_t)(first + o) * output_stride;
        rows[o] = o < count ? load_part(taps, 9) : (v16)(0.0f);
      }
      transpose(rows);
      d16 half[patch_side][3];
      VK_UNROLL for (int x = 0; x < 3; x++) {
        d16 column[3], values[patch_side];
        VK_UNROLL for (int y = 0; y < 3; y++) {
          const int tap = 3 * y + x;
          column[y] = __builtin_convertvector(rotated ? rows[8 - tap] : rows[tap], d16);
        }
        weights_at_points(column, values);
        VK_UNROLL for (int y = 0; y < patch_side; y++) half[y][x] = values[y];
      }
      VK_UNROLL for (int y = 0; y < patch_side; y++) {
        d16 values[patch_side];
        weights_at_points(half[y], values);
        VK_UNROLL for (int x = 0; x < patch_side; x++) {
          const v16 value = __builtin_convertvector(values[x], v16);
          store_part(
            packed + ((y * patch_side + x) * lanes + i) * width + first, value, (int)count);
        }
      }
    }
  }
}
