// Convolution by tap lists: every output pixel is one chain of multiply-adds over taps and lanes, in order,
// whatever tile it falls into. So results do not depend on tiles, threads or batch.

// MARK: Tiles

enum { most_sums = VK_PIXELS * VK_BLOCKS > 8 ? VK_PIXELS * VK_BLOCKS : 8 };

// S: distance of neighbouring input pixels in floats, 0 if only known at run time. L: lanes per tap.
VK_INLINE void convolution_tile(
  const int R, const int Q, const int B, const int S, const int L, const tile *t) {
  v16 sums[most_sums], settled[most_sums];
  VK_UNROLL for (int i = 0; i < R * Q * B; i++) sums[i] = (v16)(0.0f);
  const int64_t x_row = t->x_row, x_pixel = S ? S : t->x_pixel;
  const int64_t width = B == 2 ? 2 * VK_LANES : t->width;
  const float *const origin = t->x;
  const float *weights = t->weights, *ahead = t->ahead, *const next_x = t->next_x;
  const int32_t *tap = t->taps, *const end = tap + t->tap_count;
  const int64_t flush = t->flush;
  bool flushed = false;
  while (tap != end) {
    const int32_t *const stop = flush > 0 && end - tap > flush ? tap + flush : end;
    for (; tap != stop; tap++) {
      const float *x = origin + *tap;
      if (next_x) ahead = next_x + *tap;
#pragma clang loop unroll_count(4)
      for (int i = 0; i < L; i++) {
        v16 w[2];
        fetch_ahead(ahead);
        ahead += VK_LANES;
        VK_UNROLL for (int b = 0; b < B; b++) w[b] = load(weights + b * VK_LANES);
        VK_UNROLL for (int r = 0; r < R; r++) {
          VK_UNROLL for (int q = 0; q < Q; q++) {
            const v16 value = (v16)(x[r * x_row + q * x_pixel + i]);
            VK_UNROLL for (int b = 0; b < B; b++) {
              sums[(b * R + r) * Q + q] = multiply_add(value, w[b], sums[(b * R + r) * Q + q]);
            }
          }
        }
        weights += width;
      }
    }
    if (tap != end) {
      VK_UNROLL for (int i = 0; i < R * Q * B; i++) {
        settled[i] = flushed ? settled[i] + sums[i] : sums[i];
        sums[i] = (v16)(0.0f);
      }
      flushed = true;
    }
  }
  if (flushed) {
    VK_UNROLL for (int i = 0; i < R * Q * B; i++) sums[i] = settled[i] + sums[i];
  }
  finish_tile(R, Q, B, sums, t);
}

// How the input of a tile is addressed.
enum { dense_lanes, every_second, any_lanes, plain_1, plain_2, plain_4, any_plain, addressings };
enum { most_rows = 4 };

// VK_TILE_LIST(TILE, B) calls TILE(addressing, R, Q, B, S, L) for each tile that exists.
#define DEFINE_TILE(addressing, R, Q, B, S, L)                                        \
  static void tile_##addressing##_##R##_##Q##_##B(const tile *t) {                    \
    convolution_tile(R, Q, B, S, L, t);                                               \
  }
#define LIST_TILE(addressing, R, Q, B, S, L) \
  [addressing][B - 1][R - 1][Q - 1] = tile_##addressing##_##R##_##Q##_##B,

VK_TILE_LIST(DEFINE_TILE, 1)
#if VK_BLOCKS == 2
VK_TILE_LIST(DEFINE_TILE, 2)
#endif

typedef void (*tile_function)(const tile *);

static const tile_function tiles[addressings][VK_BLOCKS][most_rows][VK_PIXELS] = {
  VK_TILE_LIST(LIST_TILE, 1)
#if VK_BLOCKS == 2
  VK_TILE_LIST(LIST_TILE, 2)
#endif
};

static int addressing_for(int tap_lanes, int64_t pixel_stride) {
  if (tap_lanes == VK_LANES) {
    return pixel_stride == 16 ? dense_lanes : pixel_stride == 32 ? every_second : any_lanes;
  }
  return pixel_stride == 1   ? plain_1
         : pixel_stride == 2 ? plain_2
         : pixel_stride == 4 ? plain_4
                             : any_plain;
}

// MARK: One operation

typedef struct {
  const vk_convolution *op;
  planes planes;
  tile tile;
  int addressing;
  int32_t columns, bands;     // tiles across and down one image
  int64_t units;              // tiles of all images
  int64_t units_at_once;      // tiles whose input stays in the second-level cache
  int64_t unit_chunks, group_chunks;
  bool is_far;                // whether the second-level cache is too small for the input
} convolution_job;

// Most pixels of one row a tile can hold, for this addressing.
static int longest_tile(int addressing) {
  for (int q = VK_PIXELS; q > 1; q--) {
    if (tiles[addressing][0][0][q - 1]) return q;
  }
  return 1;
}

// All tiles `first..<last`, of one or two blocks of a group.
// The first tiles fetch the weights of the group that comes next, and if `fetches` each other tile the input of
// its neighbour: the hardware's own prefetch stops at pages, and begins anew with each group and each row.
static void convolve_units(
  const convolution_job *job, const vk_group *group, const vk_group *next, int64_t first,
  int64_t last, bool fetches) {
  const planes *p = &job->planes;
  const int64_t columns = job->columns, bands = job->bands, per_image = columns * bands;
  const even_parts widths = even_parts_of(p->width, columns);
  const even_parts heights = even_parts_of(p->height, bands);
  tile t = job->tile;
  t.taps = group->taps;
  t.tap_count = group->tap_count;
  t.width = group->blocks * VK_LANES;
  const int64_t lanes = (int64_t)group->tap_count * job->op->tap_lanes;
  for (int32_t done = 0; done < group->blocks; done += VK_BLOCKS) {
    const int blocks = group->blocks - done < VK_BLOCKS ? group->blocks - done : VK_BLOCKS;
    t.weights = group->weights + done * VK_LANES;
    int64_t image = first / per_image;
    int64_t band = first % per_image / columns, column = first % per_image % columns;
    const tile_function (*const kernels)[VK_PIXELS] = tiles[job->addressing][blocks - 1];
    for (int64_t unit = first; unit < last; unit++) {
      const int64_t y = begin_of(heights, band), x = begin_of(widths, column);
      place_tile(&t, p, job->op->epilogue.bias, image, group->block + done, y, x);
      t.x = plane_row(&p->input, image, 0, y) + x * p->input.pixel;
      const int64_t q = size_of(widths, column);
      const bool weights_next = done == 0 && unit - first < next->blocks;
      t.ahead = weights_next ? next->weights + (unit - first) * lanes * VK_LANES : t.weights;
      t.next_x = fetches && !weights_next ? t.x + q * p->input.pixel : NULL;
      kernels[size_of(heights, band) - 1][q - 1](&t);
      if (++column == columns) {
        column = 0;
        if (++band == bands) {
          band = 0;
          image++;
        }
      }
    }
  }
}

static void convolve_chunk(const void *context, int chunk) {
  const convolution_job *job = context;
  const int64_t unit_chunk = chunk % job->unit_chunks, group_chunk = chunk / job->unit_chunks;
  const int64_t unit_end = part_begin(job->units, job->unit_chunks, unit_chunk + 1);
  const int64_t group_count = job->op->group_count;
  const int64_t group_begin = part_begin(group_count, job->group_chunks, group_chunk);
  const int64_t group_end = part_begin(group_count, job->group_chunks, group_chunk + 1);
  int64_t unit = part_begin(job->units, job->unit_chunks, unit_chunk);
  while (unit < unit_end) {
    const int64_t stop = smaller(unit + job->units_at_once, unit_end);
    for (int64_t g = group_begin; g < group_end; g++) {
      const vk_group *next = &job->op->groups[g + 1 < group_end ? g + 1 : group_begin];
      // Later groups find the input near.
      const bool fetches = job->is_far && g == group_begin;
      convolve_units(job, &job->op->groups[g], next, unit, stop, fetches);
    }
    unit = stop;
  }
}

// Bytes of input behind one output pixel, over all blocks the first group reads.
static double input_bytes_per_pixel(const vk_convolution *op, const planes *p) {
  const vk_group *group = &op->groups[0];
  if (group->tap_count == 0) return 0;
  int32_t low = group->taps[0], high = low;
  for (int32_t i = 1; i < group->tap_count; i++) {
    if (group->taps[i] < low) low = group->taps[i];
    if (group->taps[i] > high) high = group->taps[i];
  }
  const int64_t stride = op->input.block_stride;
  double blocks = stride > 0 ? (double)((high - (int64_t)low) / stride + 1) : 1;
  if (blocks > group->tap_count) blocks = group->tap_count;
  const double row = p->height > 1 && p->images == op->images ? (double)p->input.row / p->width : 0;
  const double pixel = (double)p->input.pixel;
  return 4 * blocks * (row > pixel ? row : pixel);
}

static void run_convolution(const vk_convolution *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->height <= 0 || op->width <= 0 || op->group_count <= 0) return;
  convolution_job job = {
    .op = op,
    .planes =
      planes_of(
        &op->input, &op->output, &op->epilogue, buffers, op->images, op->height, op->width),
  };
  planes *p = &job.planes;
  join_rows(p);
  rows_to_pixels(p);
  if (p->width <= VK_PIXELS / 2) images_to_rows(p);
  rows_to_pixels(p);
  job.tile = tile_for(p, &op->epilogue);
  job.tile.flush = op->flush;
  job.addressing = addressing_for(op->tap_lanes, p->input.pixel);

  job.columns = (int32_t)divide_up(p->width, longest_tile(job.addressing));
  const int64_t longest = divide_up(p->width, job.columns);
  int64_t rows = 1;
  while (job.columns == 1 && rows < most_rows && rows < p->height
         && (rows + 1) * longest <= VK_PIXELS
         && tiles[job.addressing][0][rows][longest - 1]) {
    rows++;
  }
  job.bands = (int32_t)divide_up(p->height, rows);
  job.units = (int64_t)p->images * job.columns * job.bands;

  double weights = 0, operations = 0;
  for (int32_t g = 0; g < op->group_count; g++) {
    const double size = (double)op->groups[g].tap_count * op->tap_lanes * op->groups[g].blocks * 16;
    weights += 4 * size;
    operations += 2 * size;
  }
  const double pixels = (double)p->images * p->height * p->width;
  operations *= pixels;

  // Either a piece of input stays near while all weights pass by it, or the weights of one group stay
  // while all input passes by: whichever moves fewer bytes from beyond the second-level cache.
  const double input_per_pixel = input_bytes_per_pixel(op, p);
  const double near = 192 * 1024, cache = 768 * 1024;
  const double input = input_per_pixel * pixels;
  const double pieces = input / near > 1 ? input / near : 1;
  const double input_first = weights > cache ? weights * pieces : weights;
  const double weights_first = weights + (input > cache ? input * op->group_count : input);
  job.is_far = input > cache;
  const bool split_groups = weights > cache && weights_first < input_first;
  const int chunks = vk_team_chunks(
    team, smaller(job.units * op->group_count, 1 << 20), operations);
  if (split_groups) {
    job.units_at_once = job.units;
    job.group_chunks = smaller(chunks, op->group_count);
    job.unit_chunks = smaller(job.units, divide_up(chunks, job.group_chunks));
  } else {
    const double at_once = near / (input_per_pixel * rows * longest + 1);
    job.units_at_once = at_once < 1 ? 1 : at_once > 1e6 ? 1000000 : (int64_t)at_once;
    job.unit_chunks = smaller(chunks, job.units);
    job.group_chunks = smaller(op->group_count, divide_up(chunks, job.unit_chunks));
  }
  vk_team_run(team, (int)(job.unit_chunks * job.group_chunks), convolve_chunk, &job);
}
