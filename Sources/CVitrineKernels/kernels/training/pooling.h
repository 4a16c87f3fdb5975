// Pooling and its cotangents, some planes per chunk.

typedef struct {
  vk_train_kind kind;
  const vk_train_pool *op;
  float *input, *output;
  uint16_t *indices;
  int64_t planes, index_row;
  int chunks;
} train_pool_job;

// Whether windows of 2 x 2 tile the planes.
static bool is_halving(const vk_sliding_window *w) {
  return w->kernel_y == 2 && w->kernel_x == 2 && w->stride_y == 2 && w->stride_x == 2
         && w->dilation_y == 1 && w->dilation_x == 1 && w->pad_top == 0 && w->pad_left == 0
         && w->input_height == 2 * w->height && w->input_width == 2 * w->width;
}

#define VK_EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define VK_ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define VK_LOW_PAIRS 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define VK_HIGH_PAIRS 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31

// The maximum of every 2 x 2 square of two rows, the first in row-major order if several are equal.
static void halve_rows(const float *rows, float *output, uint16_t *indices, int64_t width) {
  for (int64_t x = 0; x < width; x += VK_LANES) {
    const float *top = rows + 2 * x, *bottom = top + 2 * width;
    const v16 a = load(top), b = load(top + VK_LANES);
    const v16 c = load(bottom), d = load(bottom + VK_LANES);
    const v16 corners[4] = {
      __builtin_shufflevector(a, b, VK_EVEN), __builtin_shufflevector(a, b, VK_ODD),
      __builtin_shufflevector(c, d, VK_EVEN), __builtin_shufflevector(c, d, VK_ODD)};
    v16 best = corners[0];
    m16 index = (m16)(0);
    VK_UNROLL for (int i = 1; i < 4; i++) {
      const m16 wins = corners[i] > best;
      best = wins ? corners[i] : best;
      index = wins ? (m16)(i) : index;
    }
    store_first(output + x, best, width - x);
    *(u16_unaligned *)(indices + x) = __builtin_convertvector(index, u16);
  }
}

static void double_rows(
  const float *cotangents, const uint16_t *indices, float *rows, int64_t width) {
  const v16 zero = (v16)(0.0f);
  for (int64_t x = 0; x < width; x += VK_LANES) {
    const v16 g = load(cotangents + x);
    const m16 index = __builtin_convertvector(*(const u16_unaligned *)(indices + x), m16);
    v16 corners[4];
    VK_UNROLL for (int i = 0; i < 4; i++) corners[i] = index == (m16)(i) ? g : zero;
    const int64_t left = 2 * (width - x);
    float *top = rows + 2 * x, *bottom = top + 2 * width;
    store_first(top, __builtin_shufflevector(corners[0], corners[1], VK_LOW_PAIRS), left);
    store_first(bottom, __builtin_shufflevector(corners[2], corners[3], VK_LOW_PAIRS), left);
    if (left > VK_LANES) {
      const int64_t rest = left - VK_LANES;
      store_first(
        top + VK_LANES, __builtin_shufflevector(corners[0], corners[1], VK_HIGH_PAIRS), rest);
      store_first(
        bottom + VK_LANES, __builtin_shufflevector(corners[2], corners[3], VK_HIGH_PAIRS), rest);
    }
  }
}

// The taps of one output that lie inside the plane.
VK_INLINE tap_range taps_of(
  int64_t output, int64_t stride, int64_t dilation, int64_t pad, int64_t kernel, int64_t inputs) {
  const int64_t start = output * stride - pad;
  const int64_t begin = start >= 0 ? 0 : divide_up(-start, dilation);
  const int64_t last = inputs - 1 - start;
  return (tap_range){
    .begin = smaller(begin, kernel),
    .end = last < 0 ? 0 : smaller(kernel, last / dilation + 1),
    .start = start,
  };
}

// How many elements an average divides by.
VK_INLINE float share_of(const train_pool_job *job, tap_range y, tap_range x) {
  const vk_sliding_window *w = &job->op->window;
  if (!job->op->count_include_pad) return 1.0f / (float)((y.end - y.begin) * (x.end - x.begin));
  const tap_range all_y = taps_of(
    0, 1, w->dilation_y, -(y.start + w->pad_top), w->kernel_y,
    w->input_height + w->pad_top + w->pad_bottom);
  const tap_range all_x = taps_of(
    0, 1, w->dilation_x, -(x.start + w->pad_left), w->kernel_x,
    w->input_width + w->pad_left + w->pad_right);
  return 1.0f / (float)((all_y.end - all_y.begin) * (all_x.end - all_x.begin));
}

static void train_pool_plane(const train_pool_job *job, int64_t plane) {
  const vk_sliding_window *w = &job->op->window;
  float *input = job->input + plane * w->input_height * w->input_width;
  float *output = job->output + plane * w->height * w->width;
  uint16_t *indices =
    job->indices ? job->indices + plane * w->height * job->index_row : NULL;
  const bool is_backward =
    job->kind == VK_TRAIN_MAX_POOL_BACKWARD || job->kind == VK_TRAIN_AVERAGE_POOL_BACKWARD;
  if (indices && is_halving(w)) {
    for (int64_t y = 0; y < w->height; y++) {
      float *rows = input + 2 * y * w->input_width;
      if (is_backward) {
        double_rows(output + y * w->width, indices + y * job->index_row, rows, w->width);
      } else {
        halve_rows(rows, output + y * w->width, indices + y * job->index_row, w->width);
      }
    }
    return;
  }
  if (is_backward) {
    memset(input, 0, (size_t)w->input_height * (size_t)w->input_width * sizeof(float));
  }
  for (int64_t out_y = 0; out_y < w->height; out_y++) {
    const tap_range y = taps_of(
      out_y, w->stride_y, w->dilation_y, w->pad_top, w->kernel_y, w->input_height);
    for (int64_t out_x = 0; out_x < w->width; out_x++) {
      const tap_range x = taps_of(
        out_x, w->stride_x, w->dilation_x, w->pad_left, w->kernel_x, w->input_width);
      float *value = output + out_y * w->width + out_x;
      float *first = input + y.start * w->input_width + x.start;
      const int64_t row = (int64_t)w->dilation_y * w->input_width, step = w->dilation_x;
      const bool is_empty = y.begin >= y.end || x.begin >= x.end;
      switch (job->kind) {
        case VK_TRAIN_MAX_POOL: {
          float best = is_empty ? 0 : first[y.begin * row + x.begin * step];
          int64_t index = is_empty ? 0xffff : y.begin * w->kernel_x + x.begin;
          for (int64_t i = y.begin; i < y.end; i++) {
            for (int64_t j = x.begin; j < x.end; j++) {
              if (first[i * row + j * step] > best) {
                best = first[i * row + j * step];
                index = i * w->kernel_x + j;
              }
            }
          }
          *value = best;
          indices[out_y * job->index_row + out_x] = (uint16_t)index;
          break;
        }
        case VK_TRAIN_MAX_POOL_BACKWARD: {
          const int64_t index = indices[out_y * job->index_row + out_x];
          if (index != 0xffff) {
            first[index / w->kernel_x * row + index % w->kernel_x * step] += *value;
          }
          break;
        }
        case VK_TRAIN_AVERAGE_POOL: {
          float sum = 0;
          for (int64_t i = y.begin; i < y.end; i++) {
            for (int64_t j = x.begin; j < x.end; j++) sum += first[i * row + j * step];
          }
          *value = is_empty ? 0 : sum * share_of(job, y, x);
          break;
        }
        default:
          if (!is_empty) {
            const float share = *value * share_of(job, y, x);
            for (int64_t i = y.begin; i < y.end; i++) {
              for (int64_t j = x.begin; j < x.end; j++) first[i * row + j * step] += share;
            }
          }
      }
    }
  }
}

static void train_pool_chunk(const void *context, int chunk) {
  const train_pool_job *job = context;
  const int64_t end = part_begin(job->planes, job->chunks, chunk + 1);
  for (int64_t plane = part_begin(job->planes, job->chunks, chunk); plane < end; plane++) {
    train_pool_plane(job, plane);
  }
}

static void run_train_pool(
  vk_train_kind kind, const vk_train_pool *op, void *const *buffers, vk_team *team) {
  const vk_sliding_window *w = &op->window;
  train_pool_job job = {
    .kind = kind,
    .op = op,
    .input = place_in(op->input, buffers),
    .output = place_in(op->output, buffers),
    .indices = (uint16_t *)place_in(op->indices, buffers),
    .planes = (int64_t)w->images * w->input_channels,
    .index_row = divide_up(w->width, VK_LANES) * VK_LANES,
  };
  const double cost = 4.0 * (double)job.planes * w->height * w->width * w->kernel_y * w->kernel_x;
  job.chunks = vk_team_chunks(team, smaller(job.planes, 1 << 14), cost);
  vk_team_run(team, job.chunks, train_pool_chunk, &job);
}
