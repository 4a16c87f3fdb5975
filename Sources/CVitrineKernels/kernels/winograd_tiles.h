// One tile size of winograd.h: included once for each VK_TILE, outputs along a side.

#define VK_JOIN_(name, tile) name##_##tile
#define VK_JOIN(name, tile) VK_JOIN_(name, tile)
#define VK_OF_TILE(name) VK_JOIN(name, VK_TILE)
#define tile_side VK_OF_TILE(tile_side)
#define patch_side VK_OF_TILE(patch_side)
#define point_count VK_OF_TILE(point_count)
#define evaluate_at_points VK_OF_TILE(evaluate_at_points)
#define interpolate VK_OF_TILE(interpolate)
#define step VK_OF_TILE(step)
#define tile_place_of VK_OF_TILE(tile_place_of)
#define transform_patch VK_OF_TILE(transform_patch)
#define transform_inputs VK_OF_TILE(transform_inputs)
#define fetch_patch VK_OF_TILE(fetch_patch)
#define fetch_outputs VK_OF_TILE(fetch_outputs)
#define finish_outputs VK_OF_TILE(finish_outputs)
#define multiply_and_finish VK_OF_TILE(multiply_and_finish)
#define winograd_tiles_chunk VK_OF_TILE(winograd_tiles_chunk)
#define winograd_inputs_chunk VK_OF_TILE(winograd_inputs_chunk)
#define winograd_outputs_chunk VK_OF_TILE(winograd_outputs_chunk)
#define divide_outputs VK_OF_TILE(divide_outputs)
#define winograd_memory_of VK_OF_TILE(winograd_memory_of)
#define winograd_scratch VK_OF_TILE(winograd_scratch)
#define run_winograd VK_OF_TILE(run_winograd)
#define weights_at_points VK_OF_TILE(weights_at_points)
#define pack_winograd VK_OF_TILE(pack_winograd)

enum { tile_side = VK_TILE, patch_side = tile_side + 2, point_count = patch_side * patch_side };

// MARK: Transforms of one dimension

#if VK_TILE == 4

// The six points of one dimension are 0, a, -a, b, -b and infinity. With a = 5/8 and b = 3/2 rounding
// errors are about half those of the usual 1 and 2, and all constants of inputs and outputs are exact.
static const double point_a = 0.625, point_b = 1.5;

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

#else

// The four points of one dimension are 0, 1, -1 and infinity.
VK_INLINE void evaluate_at_points(const v16 d[patch_side], v16 points[patch_side]) {
  points[0] = d[0] - d[2];
  points[1] = d[1] + d[2];
  points[2] = d[2] - d[1];
  points[3] = d[1] - d[3];
}

VK_INLINE void interpolate(const v16 points[patch_side], v16 y[tile_side]) {
  y[0] = points[0] + (points[1] + points[2]);
  y[1] = (points[1] - points[2]) - points[3];
}

#endif

// MARK: One operation

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

// Evaluates the pixels of a patch of one block at all points.
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

// Fetches what the tile to the left has not of the next block's patch: the rows of a few tiles are too short for
// the processor to see where they lead.
VK_INLINE void fetch_patch(const float *in, int64_t row) {
  VK_UNROLL for (int y = 0; y < patch_side; y++) {
    VK_UNROLL for (int x = patch_side - tile_side; x < patch_side; x++) {
      __builtin_prefetch(in + y * row + x * VK_LANES);
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
        if (job->fetches && block + 1 < job->op->input_blocks) {
          fetch_patch(in + p->input.block, p->input.row);
        }
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
      if (columns >= tile_side) {
        finish_tile(1, tile_side, 1, row, t);
      } else if (columns == 1) {
        finish_tile(1, 1, 1, row, t);
      } else if (columns == 2) {
        finish_tile(1, 2, 1, row, t);
      } else {
        finish_tile(1, 3, 1, row, t);
      }
    }
  }
}

// Fetches the pixels that the outputs of a tile will overwrite.
VK_INLINE void fetch_outputs(
  const winograd_job *job, tile_place place, int64_t block, int64_t blocks) {
  const planes *p = &job->planes;
  const int64_t rows = smaller(p->height - place.row, tile_side);
  for (int64_t b = 0; b < blocks; b++) {
    for (int64_t y = 0; y < rows; y++) {
      const float *out = plane_row(&p->output, place.image, block + b, place.row + y);
      VK_UNROLL for (int x = 0; x < tile_side; x++) {
        __builtin_prefetch(out + (place.column + x) * VK_LANES, 1, 2);
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
  tile_place ahead = tile_place_of(job, first);
  int64_t fetched = job->fetches ? 0 : count;
  for (int64_t point = 0; point < point_count; point++) {
    for (; fetched < (point + 1) * count / point_count; fetched++, step(job, &ahead)) {
      fetch_outputs(job, ahead, 2 * group, blocks);
    }
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
  const int64_t blocks = larger(op->input_blocks, op->output_blocks);
  job.fetches = op->images * blocks * job.planes.input.block > second_level_floats;
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

// The three taps of one dimension at the points.
VK_INLINE void weights_at_points(const d16 g[3], d16 points[patch_side]) {
#if VK_TILE == 4
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
#else
  const d16 even = (g[0] + g[2]) * (d16)(0.5), odd = g[1] * (d16)(0.5);
  points[0] = g[0];
  points[1] = even + odd;
  points[2] = even - odd;
  points[3] = g[2];
#endif
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

#undef tile_side
#undef patch_side
#undef point_count
#undef evaluate_at_points
#undef interpolate
#undef step
#undef tile_place_of
#undef transform_patch
#undef transform_inputs
#undef fetch_patch
#undef fetch_outputs
#undef finish_outputs
#undef multiply_and_finish
#undef winograd_tiles_chunk
#undef winograd_inputs_chunk
#undef winograd_outputs_chunk
#undef divide_outputs
#undef winograd_memory_of
#undef winograd_scratch
#undef run_winograd
#undef weights_at_points
#undef pack_winograd
#undef VK_OF_TILE
#undef VK_JOIN
#undef VK_JOIN_
