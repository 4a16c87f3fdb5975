// One filter per channel: lanes are channels, weights and inputs are both vectors.

// Adds N taps, side by side in the input, to Q sums. Every input is loaded once and serves up to N sums:
// otherwise the loads, not the arithmetic, set the pace (1.3 multiply-adds per cycle instead of 2).
// Each sum still takes its taps in order. S: distance of neighbouring input pixels in floats, a multiple
// of 16 for N > 1, or 0 if only known at run time.
VK_INLINE void add_taps(
  const int N, const int Q, const int S, v16 *sums, const float *x, int64_t x_pixel,
  const float *weights) {
  if (N == 1) {
    const v16 w = load(weights);
    VK_UNROLL for (int q = 0; q < Q; q++) {
      sums[q] = multiply_add(load(x + q * x_pixel), w, sums[q]);
    }
    return;
  }
  const int step = S / VK_LANES;
  v16 w[4];
  VK_UNROLL for (int n = 0; n < N; n++) w[n] = load(weights + n * VK_LANES);
  VK_UNROLL for (int i = 0; i < (Q - 1) * step + N; i++) {
    const v16 value = load(x + i * VK_LANES);
    VK_UNROLL for (int n = 0; n < N; n++) {
      if (i >= n && (i - n) % step == 0 && (i - n) / step < Q) {
        sums[(i - n) / step] = multiply_add(value, w[n], sums[(i - n) / step]);
      }
    }
  }
}

// How many of the taps from `taps` on, up to 4, lie side by side.
VK_INLINE int64_t taps_side_by_side(const int32_t *taps, int64_t count) {
  int64_t run = 1;
  while (run < 4 && run < count && taps[run] == taps[run - 1] + VK_LANES) run++;
  return run;
}

VK_INLINE void depthwise_tile(const int Q, const int S, const tile *t) {
  v16 sums[VK_DEPTHWISE_PIXELS];
  VK_UNROLL for (int q = 0; q < Q; q++) sums[q] = (v16)(0.0f);
  const int64_t x_pixel = S ? S : t->x_pixel;
  const int32_t *const taps = t->taps;
  const float *weights = t->weights;
  const int64_t tap_count = t->tap_count;
  for (int64_t i = 0; i < tap_count;) {
    const float *x = t->x + taps[i];
    const int64_t run =
      VK_DEPTHWISE_RUNS && S ? taps_side_by_side(taps + i, tap_count - i) : 1;
    const int64_t taken = run >= 3 ? run : 1;
    if (run == 4) {
      add_taps(4, Q, S, sums, x, x_pixel, weights);
    } else if (run == 3) {
      add_taps(3, Q, S, sums, x, x_pixel, weights);
    } else {
      add_taps(1, Q, S, sums, x, x_pixel, weights);
    }
    weights += taken * VK_LANES;
    i += taken;
  }
  finish_tile(1, Q, 1, sums, t);
}

#define DEFINE_DEPTHWISE(Q)                                                          \
  static void depthwise_any_##Q(const tile *t) { depthwise_tile(Q, 0, t); }          \
  static void depthwise_16_##Q(const tile *t) { depthwise_tile(Q, 16, t); }          \
  static void depthwise_32_##Q(const tile *t) { depthwise_tile(Q, 32, t); }
#define LIST_DEPTHWISE(Q) \
  [0][Q - 1] = depthwise_any_##Q, [1][Q - 1] = depthwise_16_##Q, [2][Q - 1] = depthwise_32_##Q,

VK_DEPTHWISE_LIST(DEFINE_DEPTHWISE)

static const tile_function depthwise_tiles[3][VK_DEPTHWISE_PIXELS] = {
  VK_DEPTHWISE_LIST(LIST_DEPTHWISE)};

typedef struct {
  const vk_depthwise *op;
  planes planes;
  tile tile;
  int32_t columns;
  int64_t rows;  // of all blocks of all images
  int chunks;
} depthwise_job;

static void depthwise_chunk(const void *context, int chunk) {
  const depthwise_job *job = context;
  const vk_depthwise *op = job->op;
  const planes *p = &job->planes;
  const tile_function *kernels =
    depthwise_tiles[p->input.pixel == 16 ? 1 : p->input.pixel == 32 ? 2 : 0];
  const even_parts widths = even_parts_of(p->width, job->columns);
  tile t = job->tile;
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const int64_t y = i % p->height, block = i / p->height % op->blocks;
    const int64_t image = i / p->height / op->blocks;
    t.weights = op->weights + block * op->tap_count * VK_LANES;
    const float *x = plane_row(&p->input, image, block, y);
    for (int64_t column = 0; column < job->columns; column++) {
      const int64_t begin = begin_of(widths, column);
      place_tile(&t, p, op->epilogue.bias, image, block, y, begin);
      t.x = x + begin * p->input.pixel;
      kernels[size_of(widths, column) - 1](&t);
    }
  }
}

static void run_depthwise(const vk_depthwise *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->blocks <= 0 || op->height <= 0 || op->width <= 0) return;
  depthwise_job job = {
    .op = op,
    .planes =
      planes_of(
        &op->input, &op->output, &op->epilogue, buffers, op->images, op->height, op->width),
  };
  join_rows(&job.planes);
  rows_to_pixels(&job.planes);
  const planes *p = &job.planes;
  job.tile = tile_for(p, &op->epilogue);
  job.tile.taps = op->taps;
  job.tile.tap_count = op->tap_count;
  job.columns = (int32_t)divide_up(p->width, VK_DEPTHWISE_PIXELS);
  job.rows = (int64_t)p->images * op->blocks * p->height;
  const double cost = 32.0 * (op->tap_count + 8) * job.rows * p->width;
  job.chunks = vk_team_chunks(team, job.rows, cost);
  vk_team_run(team, job.chunks, depthwise_chunk, &job);
}
