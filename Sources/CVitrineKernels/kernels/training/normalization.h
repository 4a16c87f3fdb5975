// Batch normalisation, some channels per chunk.

typedef struct {
  const vk_train_normalization *op;
  const float *input, *scale, *bias;
  float *output, *mean, *variance;
  float *input_cotangent, *scale_cotangent, *bias_cotangent;
  int chunks;
} train_normalization_job;

// Lanes past `count` become 0.
VK_INLINE v16 first_lanes(v16 value, int64_t count) {
  const m16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return count >= VK_LANES ? value : lane < (m16)((int32_t)count) ? value : (v16)(0.0f);
}

VK_INLINE double channel_plane_sum(const float *x, int64_t count) {
  v16 sum = (v16)(0.0f);
  for (int64_t i = 0; i < count; i += VK_LANES) sum += first_lanes(load(x + i), count - i);
  return sum_of_lanes(sum);
}

static void normalize_channel(const train_normalization_job *job, int64_t channel) {
  const vk_train_normalization *op = job->op;
  const int64_t step = op->channels * op->plane;
  const float *x = job->input + channel * op->plane;
  const double count = (double)op->images * (double)op->plane;
  double sum = 0;
  for (int64_t n = 0; n < op->images; n++) sum += channel_plane_sum(x + n * step, op->plane);
  const float mean = (float)(sum / count);
  double squares = 0;
  for (int64_t n = 0; n < op->images; n++) {
    v16 part = (v16)(0.0f);
    for (int64_t i = 0; i < op->plane; i += VK_LANES) {
      const v16 distance = first_lanes(load(x + n * step + i) - mean, op->plane - i);
      part = multiply_add(distance, distance, part);
    }
    squares += sum_of_lanes(part);
  }
  const float variance = (float)(squares / count);
  job->mean[channel] = mean;
  job->variance[channel] = variance;
  const float factor = job->scale[channel] / __builtin_sqrtf(variance + op->epsilon);
  const v16 bias = (v16)(job->bias[channel]);
  for (int64_t n = 0; n < op->images; n++) {
    const float *from = x + n * step;
    float *to = job->output + channel * op->plane + n * step;
    for (int64_t i = 0; i < op->plane; i += VK_LANES) {
      const v16 value = multiply_add(load(from + i) - mean, (v16)(factor), bias);
      store_first(to + i, value, op->plane - i);
    }
  }
}

static void pull_channel(const train_normalization_job *job, int64_t channel) {
  const vk_train_normalization *op = job->op;
  const int64_t step = op->channels * op->plane;
  const float *x = job->input + channel * op->plane, *g = job->output + channel * op->plane;
  const float mean = job->mean[channel];
  const float reciprocal = 1 / __builtin_sqrtf(job->variance[channel] + op->epsilon);
  double sum = 0, moment = 0;
  for (int64_t n = 0; n < op->images; n++) {
    v16 sums = (v16)(0.0f), moments = (v16)(0.0f);
    for (int64_t i = 0; i < op->plane; i += VK_LANES) {
      const int64_t left = op->plane - i;
      const v16 cotangent = first_lanes(load(g + n * step + i), left);
      const v16 distance = first_lanes(load(x + n * step + i) - mean, left);
      sums += cotangent;
      moments = multiply_add(cotangent, distance, moments);
    }
    sum += sum_of_lanes(sums);
    moment += sum_of_lanes(moments);
  }
  moment *= reciprocal;
  if (job->scale_cotangent) job->scale_cotangent[channel] = (float)moment;
  if (job->bias_cotangent) job->bias_cotangent[channel] = (float)sum;
  if (!job->input_cotangent) return;
  const double count = (double)op->images * (double)op->plane;
  const v16 average = (v16)((float)(sum / count));
  const v16 slope = (v16)((float)(moment / count) * reciprocal);
  const float factor = job->scale[channel] * reciprocal;
  for (int64_t n = 0; n < op->images; n++) {
    float *to = job->input_cotangent + channel * op->plane + n * step;
    for (int64_t i = 0; i < op->plane; i += VK_LANES) {
      const v16 distance = load(x + n * step + i) - mean;
      const v16 value = (load(g + n * step + i) - average - distance * slope) * factor;
      store_first(to + i, value, op->plane - i);
    }
  }
}

static void normalization_chunk(const void *context, int chunk) {
  const train_normalization_job *job = context;
  const int64_t end = part_begin(job->op->channels, job->chunks, chunk + 1);
  for (int64_t c = part_begin(job->op->channels, job->chunks, chunk); c < end; c++) {
    normalize_channel(job, c);
  }
}

static void normalization_backward_chunk(const void *context, int chunk) {
  const train_normalization_job *job = context;
  const int64_t end = part_begin(job->op->channels, job->chunks, chunk + 1);
  for (int64_t c = part_begin(job->op->channels, job->chunks, chunk); c < end; c++) {
    pull_channel(job, c);
  }
}

static void run_train_normalization(
  vk_train_kind kind, const vk_train_normalization *op, void *const *buffers, vk_team *team) {
  train_normalization_job job = {
    .op = op,
    .input = place_in(op->input, buffers),
    .scale = place_in(op->scale, buffers),
    .bias = place_in(op->bias, buffers),
    .output = place_in(op->output, buffers),
    .mean = place_in(op->mean, buffers),
    .variance = place_in(op->variance, buffers),
    .input_cotangent = place_in(op->input_cotangent, buffers),
    .scale_cotangent = place_in(op->scale_cotangent, buffers),
    .bias_cotangent = place_in(op->bias_cotangent, buffers),
  };
  const double cost = 8.0 * (double)op->images * op->channels * (double)op->plane;
  job.chunks = vk_team_chunks(team, smaller(op->channels, 1 << 14), cost);
  vk_team_run(
    team, job.chunks,
    kind == VK_TRAIN_NORMALIZE ? normalization_chunk : normalization_backward_chunk, &job);
}
