// One filter per channel: lanes are channels, weights and inputs are both vectors.

// S: distance of neighbouring input pixels in floats, 0 if only known at run time.
VK_INLINE void depthwise_tile(const int Q, const int S, const tile *t) {
  v16 sums[VK_DEPTHWISE_PIXELS];
  VK_UNROLL for (int q = 0; q < Q; q++) sums[q] = (v16)(0.0f);
  const int64_t x_pixel = S ? S : t->x_pixel;
  const int32_t *const taps = t->taps;
  const float *weights = t->weights;
  const int64_t tap_count = t->tap_count;
  for (int64_t i = 0; i < tap_count; i++) {
    const float *x = t->x + taps[i];
    const v16 w = load(weights + i * VK_LANES);
    VK_UNROLL for (int q = 0; q < Q; q++) {
      sums[q] = multiply_add(load(x + q * x_pixel), w, sums[q]);
    }
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
  tile t = job->tile;
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const int64_t y = i % p->height, block = i / p->height % op->blocks;
    const int64_t image = i / p->height / op->blocks;
    t.weights = op->weights + block * op->tap_count * VK_LANES;
    const float *x = plane_row(&p->input, image, block, y);
    for (int64_t column = 0; column < job->columns; column++) {
      const int64_t begin = part_begin(p->width, job->columns, column);
      const int64_t count = part_begin(p->width, job->columns, column + 1) - begin;
      place_tile(&t, p, op->epilogue.bias, image, block, y, begin);
      t.x = x + begin * p->input.pixel;
      kernels[count - 1](&t);
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
