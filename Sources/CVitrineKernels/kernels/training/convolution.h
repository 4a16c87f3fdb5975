// Convolutions and their cotangents, a part of the images per chunk.

typedef struct {
  const vk_train_convolution *op;
  const vk_sliding_window *window;
  float *input, *weight, *bias, *output, *scratch;
  int64_t channels, outputs;  // of one group
  int64_t taps;               // per output: channels * kernel
  int64_t stride;             // of rows of columns
  int64_t lanes;              // `outputs` rounded up
  bool is_narrow;             // outputs do not fill a vector: sums run along pixels instead
  int64_t image_in, image_out, plane_in, plane_out;
} train_convolution_job;

static int64_t column_stride(const vk_train_convolution *op) {
  const int64_t columns = (int64_t)op->block_rows * op->window.width;
  return divide_up(columns, VK_LANES) * VK_LANES + VK_LANES;
}

static train_convolution_job train_convolution_job_of(
  const vk_train_convolution *op, void *const *buffers) {
  const vk_sliding_window *w = &op->window;
  train_convolution_job job = {
    .op = op,
    .window = w,
    .channels = w->input_channels / w->groups,
    .outputs = w->output_channels / w->groups,
    .plane_in = (int64_t)w->input_height * w->input_width,
    .plane_out = (int64_t)w->height * w->width,
    .stride = column_stride(op),
  };
  job.taps = job.channels * w->kernel_y * w->kernel_x;
  job.lanes = divide_up(job.outputs, VK_LANES) * VK_LANES;
  job.is_narrow = job.outputs < VK_LANES;
  job.image_in = w->input_channels * job.plane_in;
  job.image_out = w->output_channels * job.plane_out;
  if (buffers) {
    job.input = place_in(op->input, buffers);
    job.weight = place_in(op->weight, buffers);
    job.bias = place_in(op->bias, buffers);
    job.output = place_in(op->output, buffers);
    job.scratch = place_in(op->scratch, buffers);
  }
  return job;
}

// Floats of the sums that one chunk makes for the cotangent of the weights.
static int64_t partial_count(const train_convolution_job *job) {
  return job->window->groups * job->taps * (job->is_narrow ? job->outputs * VK_LANES : job->lanes);
}

// The shape alone decides, so that the sums over parts of the batch are always the same.
static int64_t prepare_train_convolution(vk_train_kind kind, vk_train_convolution *op) {
  const vk_sliding_window *w = &op->window;
  train_convolution_job job = train_convolution_job_of(op, NULL);
  const double cost = 2.0 * w->images * job.plane_out * w->output_channels * job.taps;
  int64_t chunks = smaller(w->images, 16);
  chunks = smaller(chunks, larger(1, (int64_t)(cost / 1e6)));
  const int64_t partials = partial_count(&job);
  if (kind == VK_TRAIN_CONVOLUTION_WEIGHT) {
    chunks = smaller(chunks, larger(2, (1 << 24) / larger(1, partials)));
  }
  chunks = larger(1, chunks);
  op->chunks = (int32_t)chunks;

  // Blocks of which the columns stay in the second-level cache.
  const int64_t all_rows = divide_up(w->images, chunks) * w->height;
  const int64_t most_columns = smaller(512, 49152 / larger(1, job.taps));
  const int64_t most_rows = larger(1, smaller(all_rows, most_columns / larger(1, w->width)));
  int64_t rows = divide_up(all_rows, divide_up(all_rows, most_rows));
  for (int64_t more = rows; more <= most_rows && more < rows + 8; more++) {
    if (more * w->width % (2 * VK_LANES) == 0) {
      rows = more;
      break;
    }
  }
  op->block_rows = (int32_t)rows;
  job.stride = column_stride(op);
  const int64_t columns = job.taps * job.stride + VK_LANES;
  switch (kind) {
    case VK_TRAIN_CONVOLUTION_WEIGHT:
      op->chunk_floats = columns + job.stride * job.lanes + partials
                         + divide_up(w->output_channels, VK_LANES) * VK_LANES;
      break;
    default: op->chunk_floats = columns + job.outputs * job.stride; break;
  }
  op->chunk_floats += 4 * VK_LANES;
  return op->chunk_floats * chunks;
}

// MARK: Forward

// Copies rows of results to where they belong, with bias and function.
static void place_results(
  const train_convolution_job *job, const float *results, int64_t group, int64_t first,
  int64_t last) {
  const vk_sliding_window *w = job->window;
  const bool is_relu = job->op->function == VK_RELU;
  for (int64_t row = first; row < last;) {
    const row_run run = next_run(w, first, row, last);
    const int64_t count = run.rows * w->width;
    for (int64_t o = 0; o < job->outputs; o++) {
      const int64_t channel = group * job->outputs + o;
      const float *from = results + o * job->stride + run.column;
      float *to = job->output + run.image * job->image_out + channel * job->plane_out
                  + run.row * w->width;
      const v16 bias = (v16)(job->bias ? job->bias[channel] : 0.0f);
      for (int64_t i = 0; i < count; i += VK_LANES) {
        v16 value = load(from + i) + bias;
        if (is_relu) value = at_least(value, (v16)(0.0f));
        store_first(to + i, value, count - i);
      }
    }
    row += run.rows;
  }
}

static void train_convolution_chunk(const void *context, int chunk) {
  const train_convolution_job *job = context;
  const vk_sliding_window *w = job->window;
  const int64_t begin = part_begin(w->images, job->op->chunks, chunk) * w->height;
  const int64_t end = part_begin(w->images, job->op->chunks, chunk + 1) * w->height;
  float *columns = job->scratch + chunk * job->op->chunk_floats;
  float *results = columns + job->taps * job->stride + VK_LANES;
  for (int64_t group = 0; group < w->groups; group++) {
    const float *input = job->input + group * job->channels * job->plane_in;
    for (int64_t first = begin; first < end; first += job->op->block_rows) {
      const int64_t last = smaller(first + job->op->block_rows, end);
      gather_columns(columns, job->stride, w, input, job->image_in, job->channels, first, last);
      train_multiply(&(train_matrices){
        .a = job->weight + group * job->outputs * job->taps,
        .a_row = job->taps,
        .a_step = 1,
        .b = columns,
        .b_step = job->stride,
        .c = results,
        .c_row = job->stride,
        .m = job->outputs,
        .n = (last - first) * w->width,
        .k = job->taps,
      });
      place_results(job, results, group, first, last);
    }
  }
}

// MARK: Cotangent of the input

// Copies the cotangents of a block's pixels, a row for each output channel.
static void gather_cotangents(
  const train_convolution_job *job, float *rows, int64_t group, int64_t first, int64_t last) {
  const vk_sliding_window *w = job->window;
  for (int64_t row = first; row < last;) {
    const row_run run = next_run(w, first, row, last);
    for (int64_t o = 0; o < job->outputs; o++) {
      const float *from = job->output + run.image * job->image_out
                          + (group * job->outputs + o) * job->plane_out + run.row * w->width;
      copy_loosely(rows + o * job->stride + run.column, from, run.rows * w->width);
    }
    row += run.rows;
  }
}

static void train_convolution_input_chunk(const void *context, int chunk) {
  const train_convolution_job *job = context;
  const vk_sliding_window *w = job->window;
  const int64_t first_image = part_begin(w->images, job->op->chunks, chunk);
  const int64_t last_image = part_begin(w->images, job->op->chunks, chunk + 1);
  const int64_t begin = first_image * w->height, end = last_image * w->height;
  float *columns = job->scratch + chunk * job->op->chunk_floats;
  float *cotangents = columns + job->taps * job->stride + VK_LANES;
  memset(
    job->input + first_image * job->image_in, 0,
    (size_t)((last_image - first_image) * job->image_in) * sizeof(float));
  for (int64_t group = 0; group < w->groups; group++) {
    float *input = job->input + group * job->channels * job->plane_in;
    for (int64_t first = begin; first < end; first += job->op->block_rows) {
      const int64_t last = smaller(first + job->op->block_rows, end);
      gather_cotangents(job, cotangents, group, first, last);
      train_multiply(&(train_matrices){
        .a = job->weight + group * job->outputs * job->taps,
        .a_row = 1,
        .a_step = job->taps,
        .b = cotangents,
        .b_step = job->stride,
        .c = columns,
        .c_row = job->stride,
        .m = job->taps,
        .n = (last - first) * w->width,
        .k = job->outputs,
      });
      scatter_columns(columns, job->stride, w, input, job->image_in, job->channels, first, last);
    }
  }
}

// MARK: Cotangents of weight and bias

// Copies the cotangents of a block's pixels, a row of `lanes` output channels for each pixel, zeros in those
// that do not exist; adds each channel's to its vector of `bias_sums`.
static void gather_pixel_cotangents(
  const train_convolution_job *job, float *pixels, float *bias_sums, int64_t group, int64_t first,
  int64_t last) {
  const vk_sliding_window *w = job->window;
  for (int64_t row = first; row < last;) {
    const row_run run = next_run(w, first, row, last);
    const int64_t count = run.rows * w->width;
    for (int64_t block = 0; block < job->outputs; block += VK_LANES) {
      const int64_t channels = smaller(VK_LANES, job->outputs - block);
      const float *from = job->output + run.image * job->image_out
                          + (group * job->outputs + block) * job->plane_out + run.row * w->width;
      v16 sums = (v16)(0.0f);
      for (int64_t i = 0; i < count; i += VK_LANES) {
        v16 r[VK_LANES];
        for (int64_t o = 0; o < channels; o++) r[o] = load(from + o * job->plane_out + i);
        for (int64_t o = channels; o < VK_LANES; o++) r[o] = (v16)(0.0f);
        transpose(r);
        float *to = pixels + (run.column + i) * job->lanes + block;
        const int64_t here = smaller(VK_LANES, count - i);
        for (int64_t p = 0; p < here; p++) {
          store(to + p * job->lanes, r[p]);
          sums += r[p];
        }
      }
      if (bias_sums) {
        float *to = bias_sums + group * job->outputs + block;
        store_first(to, load(to) + sums, channels);
      }
    }
    row += run.rows;
  }
}

static float *partial_weights(const train_convolution_job *job, int64_t chunk) {
  return job->scratch + chunk * job->op->chunk_floats + job->taps * job->stride + VK_LANES
         + job->stride * job->lanes;
}

static float *partial_bias(const train_convolution_job *job, int64_t chunk) {
  return partial_weights(job, chunk) + partial_count(job);
}

// Adds to `sums` [row of a][row of b][lane] the products of rows of `length` pixels, lane by lane.
VK_INLINE void multiply_rows_tile(
  const int P, const int Q, const float *a, const float *b, int64_t stride, int64_t length,
  float *sums, int64_t sums_row, bool adds) {
  v16 r[P * Q];
  VK_UNROLL for (int p = 0; p < P; p++) {
    VK_UNROLL for (int q = 0; q < Q; q++) {
      r[p * Q + q] = adds ? load(sums + p * sums_row + q * VK_LANES) : (v16)(0.0f);
    }
  }
  for (int64_t i = 0; i < length; i += VK_LANES) {
    v16 x[P];
    VK_UNROLL for (int p = 0; p < P; p++) x[p] = load(a + p * stride + i);
    VK_UNROLL for (int q = 0; q < Q; q++) {
      const v16 y = load(b + q * stride + i);
      VK_UNROLL for (int p = 0; p < P; p++) r[p * Q + q] = multiply_add(x[p], y, r[p * Q + q]);
    }
  }
  VK_UNROLL for (int p = 0; p < P; p++) {
    VK_UNROLL for (int q = 0; q < Q; q++) {
      store(sums + p * sums_row + q * VK_LANES, r[p * Q + q]);
    }
  }
}

enum { rows_at_once = VK_BLOCKS == 2 ? 6 : 2, taps_at_once = VK_BLOCKS == 2 ? 4 : 3 };

// The same for all pairs of `m` and `n` rows.
static void multiply_rows(
  const float *a, int64_t m, const float *b, int64_t n, int64_t stride, int64_t length,
  float *sums, bool adds) {
  const int64_t sums_row = n * VK_LANES;
  for (int64_t i = 0; i < m;) {
    const bool is_whole = m - i >= rows_at_once;
    const float *x = a + i * stride;
    for (int64_t j = 0; j < n;) {
      const float *y = b + j * stride;
      float *to = sums + i * sums_row + j * VK_LANES;
      if (n - j >= taps_at_once) {
        if (is_whole) {
          multiply_rows_tile(
            rows_at_once, taps_at_once, x, y, stride, length, to, sums_row, adds);
        } else {
          multiply_rows_tile(1, taps_at_once, x, y, stride, length, to, sums_row, adds);
        }
        j += taps_at_once;
      } else {
        if (is_whole) {
          multiply_rows_tile(rows_at_once, 1, x, y, stride, length, to, sums_row, adds);
        } else {
          multiply_rows_tile(1, 1, x, y, stride, length, to, sums_row, adds);
        }
        j++;
      }
    }
    i += is_whole ? rows_at_once : 1;
  }
}

// Fills what is left of the last vector of each row with zeros.
static void clear_rest(float *rows, int64_t count, int64_t stride, int64_t length) {
  if (length % VK_LANES == 0) return;
  for (int64_t i = 0; i < count; i++) {
    for (int64_t j = length; j % VK_LANES != 0; j++) rows[i * stride + j] = 0;
  }
}

static void train_convolution_weight_chunk(const void *context, int chunk) {
  const train_convolution_job *job = context;
  const vk_sliding_window *w = job->window;
  const int64_t begin = part_begin(w->images, job->op->chunks, chunk) * w->height;
  const int64_t end = part_begin(w->images, job->op->chunks, chunk + 1) * w->height;
  float *columns = job->scratch + chunk * job->op->chunk_floats;
  float *pixels = columns + job->taps * job->stride + VK_LANES;
  float *weights = partial_weights(job, chunk);
  float *bias_sums = partial_bias(job, chunk);
  memset(bias_sums, 0, (size_t)w->output_channels * sizeof(float));
  for (int64_t group = 0; group < w->groups; group++) {
    const float *input = job->input + group * job->channels * job->plane_in;
    for (int64_t first = begin; first < end; first += job->op->block_rows) {
      const int64_t last = smaller(first + job->op->block_rows, end);
      gather_columns(columns, job->stride, w, input, job->image_in, job->channels, first, last);
      if (job->is_narrow) {
        const int64_t length = (last - first) * w->width;
        gather_cotangents(job, pixels, group, first, last);
        clear_rest(columns, job->taps, job->stride, length);
        clear_rest(pixels, job->outputs, job->stride, length);
        multiply_rows(
          pixels, job->outputs, columns, job->taps, job->stride, length,
          weights + group * job->outputs * job->taps * VK_LANES, first > begin);
        if (!job->bias) continue;
        for (int64_t o = 0; o < job->outputs; o++) {
          v16 sum = (v16)(0.0f);
          for (int64_t i = 0; i < length; i += VK_LANES) sum += load(pixels + o * job->stride + i);
          bias_sums[group * job->outputs + o] += sum_of_lanes(sum);
        }
        continue;
      }
      gather_pixel_cotangents(
        job, pixels, job->bias ? bias_sums : NULL, group, first, last);
      train_multiply(&(train_matrices){
        .a = columns,
        .a_row = job->stride,
        .a_step = 1,
        .b = pixels,
        .b_step = job->lanes,
        .c = weights + group * job->taps * job->lanes,
        .c_row = job->lanes,
        .m = job->taps,
        .n = job->lanes,
        .k = (last - first) * w->width,
        .adds = first > begin,
      });
    }
  }
}

// Adds up the parts of 16 taps by all outputs of a group, in order, and puts them where weights are.
static void sum_partial_weights(const void *context, int unit) {
  const train_convolution_job *job = context;
  const int64_t tap_blocks = divide_up(job->taps, VK_LANES);
  const int64_t group = unit / tap_blocks, tap = unit % tap_blocks * VK_LANES;
  const int64_t taps = smaller(VK_LANES, job->taps - tap);
  for (int64_t block = 0; block < job->outputs; block += VK_LANES) {
    v16 r[VK_LANES];
    for (int64_t t = 0; t < VK_LANES; t++) r[t] = (v16)(0.0f);
    for (int64_t chunk = 0; chunk < job->op->chunks; chunk++) {
      const float *from = partial_weights(job, chunk)
                          + (group * job->taps + tap) * job->lanes + block;
      for (int64_t t = 0; t < taps; t++) r[t] += load(from + t * job->lanes);
    }
    transpose(r);
    const int64_t outputs = smaller(VK_LANES, job->outputs - block);
    for (int64_t o = 0; o < outputs; o++) {
      store_first(
        job->weight + (group * job->outputs + block + o) * job->taps + tap, r[o], taps);
    }
  }
}

// The same where sums ran along pixels: adds up lanes, too.
static void sum_narrow_weights(const train_convolution_job *job) {
  const int64_t count = job->window->groups * job->outputs * job->taps;
  for (int64_t i = 0; i < count; i++) {
    v16 sum = (v16)(0.0f);
    for (int64_t chunk = 0; chunk < job->op->chunks; chunk++) {
      sum += load(partial_weights(job, chunk) + i * VK_LANES);
    }
    job->weight[i] = sum_of_lanes(sum);
  }
}

static void run_train_convolution(
  vk_train_kind kind, const vk_train_convolution *op, void *const *buffers, vk_team *team) {
  const train_convolution_job job = train_convolution_job_of(op, buffers);
  switch (kind) {
    case VK_TRAIN_CONVOLUTION:
      vk_team_run(team, op->chunks, train_convolution_chunk, &job);
      break;
    case VK_TRAIN_CONVOLUTION_INPUT:
      vk_team_run(team, op->chunks, train_convolution_input_chunk, &job);
      break;
    default: {
      vk_team_run(team, op->chunks, train_convolution_weight_chunk, &job);
      const int64_t units = op->window.groups * divide_up(job.taps, VK_LANES);
      if (job.is_narrow) {
        sum_narrow_weights(&job);
      } else {
        // Beyond the most chunks that a team takes, the caller does them all.
        vk_team_run(team, (int)smaller(units, INT32_MAX), sum_partial_weights, &job);
      }
      if (job.bias) {
        for (int64_t o = 0; o < op->window.output_channels; o++) {
          float sum = 0;
          for (int64_t chunk = 0; chunk < op->chunks; chunk++) sum += partial_bias(&job, chunk)[o];
          job.bias[o] = sum;
        }
      }
    }
  }
}
