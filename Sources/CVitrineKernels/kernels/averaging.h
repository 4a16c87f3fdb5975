// What averages of gradients need: points of straight lines, and weighted sums over a batch.

typedef double d16 __attribute__((ext_vector_type(16)));

// MARK: Points of a line

typedef struct {
  const vk_line *op;
  planes planes;
  tile tile;
  const float *fractions;
  int64_t rows;  // of all blocks of all images
  int chunks;
} line_job;

static void line_chunk(const void *context, int chunk) {
  const line_job *job = context;
  const planes *p = &job->planes;
  tile t = job->tile;
  v16 values[strip_pixels];
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const int64_t row = i % p->height, block = i / p->height % job->op->blocks;
    const int64_t image = i / p->height / job->op->blocks;
    const float *start = plane_row(&p->input, 0, block, row);
    const float *direction = plane_row(&p->second, 0, block, row);
    const v16 fraction = (v16)(job->fractions[image]);
    place_tile(&t, p, NULL, image, block, row, 0);
    for (int64_t done = 0; done < p->width; done += strip_pixels) {
      const int64_t count = smaller(strip_pixels, p->width - done);
      for (int64_t k = 0; k < count; k++) {
        values[k] = multiply_add(
          fraction, load(direction + (done + k) * p->second.pixel),
          load(start + (done + k) * p->input.pixel));
      }
      finish_strip(&t, values, count);
    }
  }
}

static void run_line(const vk_line *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->blocks <= 0 || op->height <= 0 || op->width <= 0) return;
  line_job job = {
    .op = op,
    .planes =
      planes_of(
        &op->start, &op->output, &op->epilogue, buffers, op->images, op->height, op->width),
    .fractions = (const float *)buffers[op->fraction_buffer] + op->fraction_offset,
  };
  planes *p = &job.planes;
  p->second = view_of(&op->direction, buffers);
  if (!p->second.base) return;
  join_rows(p);
  rows_to_pixels(p);
  job.tile = tile_for(p, &op->epilogue);
  job.rows = (int64_t)p->images * op->blocks * p->height;
  job.chunks = vk_team_chunks(team, job.rows, 150.0 * job.rows * p->width);
  vk_team_run(team, job.chunks, line_chunk, &job);
}

// MARK: Weighted sums

typedef struct {
  const vk_weighted_sum *op;
  view input;
  double *sums;
  const double *weights;
  int64_t rows;  // of all blocks
  int chunks;
} weighted_sum_job;

static void weighted_sum_chunk(const void *context, int chunk) {
  const weighted_sum_job *job = context;
  const vk_weighted_sum *op = job->op;
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const float *row = plane_row(&job->input, 0, i / op->height, i % op->height);
    double *sums = job->sums + i * op->width * VK_LANES;
    for (int64_t x = 0; x < op->width; x++, sums += VK_LANES) {
      d16 sum;
      memcpy(&sum, sums, sizeof sum);
      for (int32_t n = 0; n < op->images; n++) {
        // Rows of a batch that is not full must not turn the sum into NaN.
        if (job->weights[n] == 0) continue;
        const v16 term = load(row + n * job->input.image + x * job->input.pixel);
        sum += job->weights[n] * __builtin_convertvector(term, d16);
      }
      memcpy(sums, &sum, sizeof sum);
    }
  }
}

static void run_weighted_sum(const vk_weighted_sum *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->blocks <= 0 || op->height <= 0 || op->width <= 0) return;
  weighted_sum_job job = {
    .op = op,
    .input = view_of(&op->input, buffers),
    .sums = (double *)buffers[op->sum_buffer] + op->sum_offset,
    .weights = (const double *)buffers[op->weight_buffer] + op->weight_offset,
    .rows = (int64_t)op->blocks * op->height,
  };
  job.chunks = vk_team_chunks(team, job.rows, 150.0 * (2 + op->images) * job.rows * op->width);
  vk_team_run(team, job.chunks, weighted_sum_chunk, &job);
}
