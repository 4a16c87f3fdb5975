// Operations pixel by pixel, in strips that stay in the first-level cache between computing and finishing.

enum { strip_pixels = 16, finished_at_once = 8 };

typedef struct {
  vk_kind kind;
  const vk_elementwise *op;
  planes planes;
  tile tile;
  int64_t rows;  // of all blocks of all images
  int chunks;
} elementwise_job;

#define FOR_STRIP for (int64_t i = 0; i < count; i++)

// Each function in a loop of its own.
#define EACH_FUNCTION(CASE)                                                               \
  CASE(VK_IDENTITY) CASE(VK_RELU) CASE(VK_CLIP) CASE(VK_LEAKY_RELU) CASE(VK_SIGMOID)      \
  CASE(VK_TANH) CASE(VK_ELU) CASE(VK_SOFTPLUS) CASE(VK_HARD_SIGMOID) CASE(VK_HARD_SWISH)

static void compute_strip(
  const elementwise_job *job, v16 *values, int64_t count, const float *x, int64_t x_pixel,
  const float *y, int64_t y_pixel, int64_t block) {
  const vk_elementwise *op = job->op;
  switch (job->kind) {
    case VK_ADD:
      FOR_STRIP values[i] = load(x + i * x_pixel) + load(y + i * y_pixel);
      break;
    case VK_MULTIPLY:
      FOR_STRIP values[i] = load(x + i * x_pixel) * load(y + i * y_pixel);
      break;
    case VK_AFFINE: {
      const v16 scale = op->scale ? load(op->scale + block * VK_LANES) : (v16)(1.0f);
      const v16 shift = op->shift ? load(op->shift + block * VK_LANES) : (v16)(0.0f);
      FOR_STRIP values[i] = multiply_add(load(x + i * x_pixel), scale, shift);
      break;
    }
    case VK_UNARY:
      switch (op->function) {
#define CASE(f)                                                                              \
  case f:                                                                                    \
    FOR_STRIP values[i] = apply_function(f, load(x + i * x_pixel), op->alpha, op->beta);     \
    break;
        EACH_FUNCTION(CASE)
#undef CASE
      }
      break;
    case VK_UNARY_BACKWARD:
      switch (op->function) {
#define CASE(f)                                                                              \
  case f:                                                                                    \
    FOR_STRIP values[i] = apply_derivative(                                                  \
      f, load(x + i * x_pixel), load(y + i * y_pixel), op->alpha, op->beta);                 \
    break;
        EACH_FUNCTION(CASE)
#undef CASE
      }
      break;
    case VK_GLOBAL_AVERAGE_BACKWARD: {
      const v16 share = load(x) / (float)((int64_t)op->height * op->width);
      FOR_STRIP values[i] = share;
      break;
    }
    default:  // VK_COPY
      FOR_STRIP values[i] = load(x + i * x_pixel);
      break;
  }
}

#undef FOR_STRIP
#undef EACH_FUNCTION

// Finishes `count` values one pixel after the other, moving the tile along.
VK_INLINE void finish_strip(tile *t, v16 *values, int64_t count) {
  int64_t done = 0;
  while (done < count) {
    const int64_t now = count - done >= finished_at_once ? finished_at_once : 1;
    if (now == finished_at_once) {
      finish_tile(1, finished_at_once, 1, values + done, t);
    } else {
      finish_tile(1, 1, 1, values + done, t);
    }
    t->out += now * t->out_pixel;
    if (t->residual) t->residual += now * t->residual_pixel;
    if (t->read) t->read += now * t->read_pixel;
    if (t->write) t->write += now * t->write_pixel;
    done += now;
  }
}

static void elementwise_chunk(const void *context, int chunk) {
  const elementwise_job *job = context;
  const vk_elementwise *op = job->op;
  const planes *p = &job->planes;
  const int64_t second_images = op->second_images > 0 ? op->second_images : op->images;
  tile t = job->tile;
  v16 values[strip_pixels];
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const int64_t row = i % p->height, block = i / p->height % op->blocks;
    const int64_t image = i / p->height / op->blocks;
    const float *x = plane_row(&p->input, image, block, row), *y = NULL;
    if (p->second.base) y = plane_row(&p->second, image % second_images, block, row);
    place_tile(&t, p, op->epilogue.bias, image, block, row, 0);
    for (int64_t done = 0; done < p->width; done += strip_pixels) {
      const int64_t count = smaller(strip_pixels, p->width - done);
      compute_strip(
        job, values, count, x + done * p->input.pixel, p->input.pixel,
        y ? y + done * p->second.pixel : NULL, p->second.pixel, block);
      finish_strip(&t, values, count);
    }
  }
}

static void run_elementwise(
  vk_kind kind, const vk_elementwise *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->blocks <= 0 || op->height <= 0 || op->width <= 0) return;
  elementwise_job job = {
    .kind = kind,
    .op = op,
    .planes =
      planes_of(
        &op->input, &op->output, &op->epilogue, buffers, op->images, op->height, op->width),
  };
  planes *p = &job.planes;
  if (kind == VK_ADD || kind == VK_MULTIPLY || kind == VK_UNARY_BACKWARD) {
    p->second = view_of(&op->second, buffers);
    if (!p->second.base) return;
  }
  if (kind == VK_GLOBAL_AVERAGE_BACKWARD) p->input.row = p->input.pixel = 0;
  join_rows(p);
  rows_to_pixels(p);
  job.tile = tile_for(p, &op->epilogue);
  job.rows = (int64_t)p->images * op->blocks * p->height;
  const bool costly = (kind == VK_UNARY || kind == VK_UNARY_BACKWARD) && op->function >= VK_SIGMOID;
  job.chunks = vk_team_chunks(team, job.rows, (costly ? 600.0 : 150.0) * job.rows * p->width);
  vk_team_run(team, job.chunks, elementwise_chunk, &job);
}

// MARK: Global average

// Four chains, by column modulo 4, over all rows; then (0 + 1) + (2 + 3).
static v16 plane_sum(const float *plane, int64_t row, int64_t pixel, int64_t height, int64_t width) {
  v16 sums[4] = {(v16)(0.0f), (v16)(0.0f), (v16)(0.0f), (v16)(0.0f)};
  for (int64_t y = 0; y < height; y++) {
    const float *x = plane + y * row;
    int64_t i = 0;
    for (; i + 4 <= width; i += 4) {
      VK_UNROLL for (int k = 0; k < 4; k++) sums[k] += load(x + (i + k) * pixel);
    }
    if (i < width) sums[0] += load(x + i * pixel);
    if (i + 1 < width) sums[1] += load(x + (i + 1) * pixel);
    if (i + 2 < width) sums[2] += load(x + (i + 2) * pixel);
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static void global_average_chunk(const void *context, int chunk) {
  const elementwise_job *job = context;
  const vk_elementwise *op = job->op;
  const planes *p = &job->planes;
  tile t = job->tile;
  const float pixels = (float)((int64_t)op->height * op->width);
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const int64_t block = i % op->blocks, image = i / op->blocks;
    v16 mean = plane_sum(plane_row(&p->input, image, block, 0), p->input.row, p->input.pixel,
                         op->height, op->width)
               / pixels;
    place_tile(&t, p, op->epilogue.bias, image, block, 0, 0);
    finish_strip(&t, &mean, 1);
  }
}

static void run_global_average(const vk_elementwise *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->blocks <= 0 || op->height <= 0 || op->width <= 0) return;
  elementwise_job job = {
    .op = op,
    .planes =
      planes_of(
        &op->input, &op->output, &op->epilogue, buffers, op->images, op->height, op->width),
    .rows = (int64_t)op->images * op->blocks,
  };
  job.tile = tile_for(&job.planes, &op->epilogue);
  job.chunks = vk_team_chunks(team, job.rows, 80.0 * job.rows * op->height * op->width);
  vk_team_run(team, job.chunks, global_average_chunk, &job);
}
