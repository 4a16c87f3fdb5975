// Pooling. Windows are clipped to the plane: padding never takes part, whatever the halo holds.

// The taps of one window along one axis that lie inside 0..<size, and where the first tap lies.
typedef struct {
  int64_t origin, begin, end;
} window_span;

VK_INLINE window_span span_of(
  int64_t index, int64_t stride, int64_t padding, int64_t dilation, int64_t kernel, int64_t size) {
  window_span s = {.origin = index * stride - padding, .end = kernel};
  if (s.origin >= 0 && s.origin + (kernel - 1) * dilation < size) return s;
  s.begin = s.origin >= 0 ? 0 : divide_up(-s.origin, dilation);
  s.end = s.origin >= size ? 0 : smaller(kernel, divide_up(size - s.origin, dilation));
  if (s.end < s.begin) s.end = s.begin;
  return s;
}

// How many taps of a window an average divides by, along one axis.
VK_INLINE int64_t span_weight(
  window_span span, bool padding_counts, int64_t padding_end, int64_t dilation, int64_t kernel,
  int64_t size) {
  if (!padding_counts) return span.end - span.begin;
  const int64_t extent = size + padding_end - span.origin;
  return extent <= 0 ? 0 : smaller(kernel, divide_up(extent, dilation));
}

// A rounded-down quotient whose dividend grows one by one: divides only once.
typedef struct {
  int64_t quotient, remainder;
} running_quotient;

VK_INLINE running_quotient running_quotient_of(int64_t dividend, int64_t divisor) {
  running_quotient q = {dividend / divisor, dividend % divisor};
  if (q.remainder < 0) {
    q.remainder += divisor;
    q.quotient--;
  }
  return q;
}

VK_INLINE void advance(running_quotient *q, int64_t divisor) {
  if (++q->remainder == divisor) {
    q->remainder = 0;
    q->quotient++;
  }
}

// The windows along one axis that contain a position: first...last, to be checked for dilation.
typedef struct {
  running_quotient first, last;
} window_range;

VK_INLINE window_range windows_over(
  int64_t at, int64_t stride, int64_t padding, int64_t dilation, int64_t kernel) {
  const int64_t shifted = at + padding, reach = shifted - (kernel - 1) * dilation;
  return (window_range){
    .first = running_quotient_of(reach + stride - 1, stride),
    .last = running_quotient_of(shifted, stride),
  };
}

typedef struct {
  vk_kind kind;
  const vk_pool_window *op;
  view input, output;
  uint16_t *indices;  // NULL: not kept
  int64_t index_images;
  int64_t rows;  // of all blocks of all images
  int chunks;
} pool_job;

static const uint16_t no_index = 0xffff;

static window_span row_span(const vk_pool_window *op, int64_t y) {
  return span_of(y, op->stride_y, op->pad_top, op->dilation_y, op->kernel_y, op->input_height);
}

static window_span column_span(const vk_pool_window *op, int64_t x) {
  return span_of(x, op->stride_x, op->pad_left, op->dilation_x, op->kernel_x, op->input_width);
}

static int64_t row_weight(const vk_pool_window *op, int64_t y) {
  return span_weight(row_span(op, y), op->count_include_pad, op->pad_bottom, op->dilation_y,
                     op->kernel_y, op->input_height);
}

static int64_t column_weight(const vk_pool_window *op, int64_t x) {
  return span_weight(column_span(op, x), op->count_include_pad, op->pad_right, op->dilation_x,
                     op->kernel_x, op->input_width);
}

// MARK: Forward

static void max_pool_row(
  const vk_pool_window *op, const view *in, const float *plane, float *out, int64_t out_pixel,
  uint16_t *indices, int64_t y) {
  const window_span rows = row_span(op, y);
  const int64_t step = op->dilation_x * in->pixel;
  for (int64_t x = 0; x < op->width; x++) {
    const window_span columns = column_span(op, x);
    const bool empty = rows.begin == rows.end || columns.begin == columns.end;
    v16 best = (v16)(0.0f);
    m16 index = (m16)(int32_t)no_index;
    if (!empty) {
      const float *first = plane + (rows.origin + rows.begin * op->dilation_y) * in->row
                           + (columns.origin + columns.begin * op->dilation_x) * in->pixel;
      best = load(first);
      if (indices) {
        index = (m16)(int32_t)(rows.begin * op->kernel_x + columns.begin);
        for (int64_t ky = rows.begin; ky < rows.end; ky++) {
          const float *tap = first + (ky - rows.begin) * op->dilation_y * in->row;
          for (int64_t kx = columns.begin; kx < columns.end; kx++, tap += step) {
            const v16 value = load(tap);
            const m16 wins = value > best;
            best = wins ? value : best;
            index = wins ? (m16)(int32_t)(ky * op->kernel_x + kx) : index;
          }
        }
      } else {
        for (int64_t ky = rows.begin; ky < rows.end; ky++) {
          const float *tap = first + (ky - rows.begin) * op->dilation_y * in->row;
          for (int64_t kx = columns.begin; kx < columns.end; kx++, tap += step) {
            const v16 value = load(tap);
            best = value > best ? value : best;
          }
        }
      }
    }
    store(out + x * out_pixel, best);
    if (indices) *(u16_unaligned *)(indices + x * VK_LANES) = __builtin_convertvector(index, u16);
  }
}

static void average_pool_row(
  const vk_pool_window *op, const view *in, const float *plane, float *out, int64_t out_pixel,
  int64_t y) {
  const window_span rows = row_span(op, y);
  const int64_t height = row_weight(op, y);
  const int64_t step = op->dilation_x * in->pixel;
  for (int64_t x = 0; x < op->width; x++) {
    const window_span columns = column_span(op, x);
    v16 sum = (v16)(0.0f);
    for (int64_t ky = rows.begin; ky < rows.end; ky++) {
      const float *tap = plane + (rows.origin + ky * op->dilation_y) * in->row
                         + (columns.origin + columns.begin * op->dilation_x) * in->pixel;
      for (int64_t kx = columns.begin; kx < columns.end; kx++, tap += step) sum += load(tap);
    }
    const int64_t weight = height * column_weight(op, x);
    store(out + x * out_pixel, weight > 0 ? sum / (float)weight : (v16)(0.0f));
  }
}

// MARK: Backward

// Lanes whose window chose this tap.
VK_INLINE m16 chosen_tap(u16 chosen, int64_t tap) {
  return __builtin_convertvector(chosen, m16) == (int32_t)tap;
}

// Every input pixel collects from the windows over it, in row-major order: no two threads meet.
static void pool_backward_row(
  const pool_job *job, float *in_row, const float *plane, const uint16_t *indices, int64_t y) {
  const vk_pool_window *op = job->op;
  const int64_t out_row = job->output.row, out_pixel = job->output.pixel;
  const int64_t in_pixel = job->input.pixel, width = op->width;
  const int64_t stride_y = op->stride_y, pad_top = op->pad_top, dilation_y = op->dilation_y;
  const int64_t stride_x = op->stride_x, pad_left = op->pad_left, dilation_x = op->dilation_x;
  const int64_t kernel_x = op->kernel_x, input_width = op->input_width;
  const window_range over_row = windows_over(y, stride_y, pad_top, dilation_y, op->kernel_y);
  const int64_t first_y = larger(0, over_row.first.quotient);
  const int64_t last_y = smaller(op->height - 1, over_row.last.quotient);
  window_range over_pixel = windows_over(0, stride_x, pad_left, dilation_x, kernel_x);
  for (int64_t x = 0; x < input_width; x++) {
    const int64_t first_x = larger(0, over_pixel.first.quotient);
    const int64_t last_x = smaller(width - 1, over_pixel.last.quotient);
    advance(&over_pixel.first, stride_x);
    advance(&over_pixel.last, stride_x);
    v16 sum = (v16)(0.0f);
    for (int64_t oy = first_y; oy <= last_y; oy++) {
      const int64_t down = y + pad_top - oy * stride_y;
      const int64_t ky = dilation_y == 1 ? down : down / dilation_y;
      if (ky * dilation_y != down) continue;
      for (int64_t ox = first_x; ox <= last_x; ox++) {
        const int64_t across = x + pad_left - ox * stride_x;
        const int64_t kx = dilation_x == 1 ? across : across / dilation_x;
        if (kx * dilation_x != across) continue;
        const v16 g = load(plane + oy * out_row + ox * out_pixel);
        if (indices) {
          const u16 chosen = *(const u16_unaligned *)(indices + (oy * width + ox) * VK_LANES);
          const m16 here = chosen_tap(chosen, ky * kernel_x + kx);
          sum += here ? g : (v16)(0.0f);
        } else {
          sum += g / (float)(row_weight(op, oy) * column_weight(op, ox));
        }
      }
    }
    store(in_row + x * in_pixel, sum);
  }
}

// MARK: One operation

static void pool_chunk(const void *context, int chunk) {
  const pool_job *job = context;
  const vk_pool_window *op = job->op;
  const bool backward =
    job->kind == VK_MAX_POOL_BACKWARD || job->kind == VK_AVERAGE_POOL_BACKWARD;
  const int64_t height = backward ? op->input_height : op->height;
  const int64_t index_plane = (int64_t)op->height * op->width * VK_LANES;
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const int64_t y = i % height, block = i / height % op->blocks, image = i / height / op->blocks;
    uint16_t *indices =
      job->indices
        ? job->indices + (image % job->index_images * op->blocks + block) * index_plane
        : NULL;
    if (backward) {
      pool_backward_row(
        job, plane_row(&job->input, image, block, y), plane_row(&job->output, image, block, 0),
        indices, y);
      continue;
    }
    const float *plane = plane_row(&job->input, image, block, 0);
    float *out = plane_row(&job->output, image, block, y);
    if (job->kind == VK_MAX_POOL) {
      if (indices) indices += y * op->width * VK_LANES;
      max_pool_row(op, &job->input, plane, out, job->output.pixel, indices, y);
    } else {
      average_pool_row(op, &job->input, plane, out, job->output.pixel, y);
    }
  }
}

static void run_pool(vk_kind kind, const vk_pool_window *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->blocks <= 0 || op->height <= 0 || op->width <= 0) return;
  const bool maximum = kind == VK_MAX_POOL || kind == VK_MAX_POOL_BACKWARD;
  const bool backward = kind == VK_MAX_POOL_BACKWARD || kind == VK_AVERAGE_POOL_BACKWARD;
  pool_job job = {
    .kind = kind,
    .op = op,
    .input = view_of(&op->input, buffers),
    .output = view_of(&op->output, buffers),
    .index_images = op->index_images > 0 ? op->index_images : op->images,
    .rows = (int64_t)op->images * op->blocks * (backward ? op->input_height : op->height),
  };
  if (maximum && op->index_buffer >= 0) {
    job.indices = (uint16_t *)buffers[op->index_buffer] + op->index_offset;
  }
  if (kind == VK_MAX_POOL_BACKWARD && !job.indices) return;
  const double taps = (double)op->images * op->blocks * op->height * op->width * op->kernel_y
                      * op->kernel_x;
  job.chunks = vk_team_chunks(team, job.rows, (backward ? 200.0 : 100.0) * taps);
  vk_team_run(team, job.chunks, pool_chunk, &job);
}
