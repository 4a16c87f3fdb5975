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

typedef struct {
  vk_kind kind;
  const vk_pool_window *op;
  view input, output;
  bit_view mask;
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

typedef struct {
  int64_t begin, end;
} index_range;

// Outputs along a row whose windows lie inside the planes from left to right.
static index_range inner_columns(const vk_pool_window *op) {
  const int64_t extent = (int64_t)(op->kernel_x - 1) * op->dilation_x + 1;
  const int64_t last = op->input_width + op->pad_left - extent;  // largest start, from the padding's edge
  const int64_t begin = smaller(divide_up(op->pad_left, op->stride_x), op->width);
  const int64_t end = last < 0 ? 0 : smaller(last / op->stride_x + 1, op->width);
  return (index_range){begin, larger(begin, end)};
}

// MARK: Forward

// Taps of one window: `width` of each of `height` rows, from `first` on. They are numbered from `number`,
// `kernel_x` more for each row.
typedef struct {
  const float *first;
  int64_t row_step, pixel_step, height, width;
  int64_t number, kernel_x;
} tap_grid;

VK_INLINE void take_maximum(
  const tap_grid *taps, int64_t y, int64_t x, bool indexed, v16 *best, m16 *index, m16 *unordered) {
  const v16 value = load(taps->first + y * taps->row_step + x * taps->pixel_step);
  const m16 wins = value > *best;
  *best = wins ? value : *best;
  if (indexed) *index = wins ? (m16)(int32_t)(taps->number + y * taps->kernel_x + x) : *index;
  *unordered |= value != value;
}

// The first maximum of a window in which there may be NaNs: the first of those.
static v16 first_nan(const tap_grid *taps, m16 *index) {
  v16 best = load(taps->first);
  *index = (m16)(int32_t)taps->number;
  for (int64_t y = 0; y < taps->height; y++) {
    for (int64_t x = 0; x < taps->width; x++) {
      const v16 value = load(taps->first + y * taps->row_step + x * taps->pixel_step);
      const m16 wins = ~(value <= best) & (best == best);
      best = wins ? value : best;
      *index = wins ? (m16)(int32_t)(taps->number + y * taps->kernel_x + x) : *index;
    }
  }
  return best;
}

// The first maximum of a window, or its first NaN. K > 0: K x K taps, known when compiled.
VK_INLINE v16 maximum_of(const int K, const tap_grid *taps, bool indexed, m16 *index) {
  v16 best = load(taps->first);
  m16 unordered = best != best;
  *index = (m16)(int32_t)taps->number;
  if (K > 0) {
    VK_UNROLL for (int y = 0; y < K; y++) {
      VK_UNROLL for (int x = 0; x < K; x++) {
        if (y + x > 0) take_maximum(taps, y, x, indexed, &best, index, &unordered);
      }
    }
  } else {
    for (int64_t y = 0; y < taps->height; y++) {
      for (int64_t x = 0; x < taps->width; x++) {
        take_maximum(taps, y, x, indexed, &best, index, &unordered);
      }
    }
  }
  if (__builtin_expect(bits_of(unordered) != 0, 0)) return first_nan(taps, index);
  return best;
}

// Outputs `begin..<end` of a row, whose windows lie inside the planes from left to right.
VK_INLINE void max_pool_pixels(
  const int K, bool indexed, const vk_pool_window *op, const view *in, const float *plane,
  window_span rows, float *out, int64_t out_pixel, uint16_t *indices, int64_t begin, int64_t end) {
  tap_grid taps = {
    .first = plane + (rows.origin + rows.begin * op->dilation_y) * in->row
             + (begin * op->stride_x - op->pad_left) * in->pixel,
    .row_step = op->dilation_y * in->row,
    .pixel_step = op->dilation_x * in->pixel,
    .height = rows.end - rows.begin,
    .width = op->kernel_x,
    .number = rows.begin * op->kernel_x,
    .kernel_x = op->kernel_x,
  };
  for (int64_t x = begin; x < end; x++, taps.first += op->stride_x * in->pixel) {
    m16 index;
    const v16 best = maximum_of(K, &taps, indexed, &index);
    store(out + x * out_pixel, best);
    if (indexed) *(u16_unaligned *)(indices + x * VK_LANES) = __builtin_convertvector(index, u16);
  }
}

// Any outputs: windows may reach over the edge, or be empty.
static void max_pool_edge(
  const vk_pool_window *op, const view *in, const float *plane, window_span rows, float *out,
  int64_t out_pixel, uint16_t *indices, int64_t begin, int64_t end) {
  for (int64_t x = begin; x < end; x++) {
    const window_span columns = column_span(op, x);
    v16 best = (v16)(0.0f);
    m16 index = (m16)(int32_t)no_index;
    if (rows.begin < rows.end && columns.begin < columns.end) {
      const tap_grid taps = {
        .first = plane + (rows.origin + rows.begin * op->dilation_y) * in->row
                 + (columns.origin + columns.begin * op->dilation_x) * in->pixel,
        .row_step = op->dilation_y * in->row,
        .pixel_step = op->dilation_x * in->pixel,
        .height = rows.end - rows.begin,
        .width = columns.end - columns.begin,
        .number = rows.begin * op->kernel_x + columns.begin,
        .kernel_x = op->kernel_x,
      };
      best = maximum_of(0, &taps, indices != NULL, &index);
    }
    store(out + x * out_pixel, best);
    if (indices) *(u16_unaligned *)(indices + x * VK_LANES) = __builtin_convertvector(index, u16);
  }
}

static void max_pool_row(
  const vk_pool_window *op, const view *in, const float *plane, float *out, int64_t out_pixel,
  uint16_t *indices, int64_t y) {
  const window_span rows = row_span(op, y);
  const index_range inside = inner_columns(op);
  const int64_t begin = rows.begin < rows.end ? inside.begin : op->width;
  const int64_t end = rows.begin < rows.end ? inside.end : op->width;
  const int64_t kernel =
    rows.end - rows.begin == op->kernel_x && op->dilation_x == 1 && op->dilation_y == 1 ? op->kernel_x : 0;
#define PIXELS(K, indexed) \
  max_pool_pixels(K, indexed, op, in, plane, rows, out, out_pixel, indices, begin, end)
  max_pool_edge(op, in, plane, rows, out, out_pixel, indices, 0, begin);
  if (indices) {
    if (kernel == 3) {
      PIXELS(3, true);
    } else if (kernel == 2) {
      PIXELS(2, true);
    } else {
      PIXELS(0, true);
    }
  } else if (kernel == 3) {
    PIXELS(3, false);
  } else if (kernel == 2) {
    PIXELS(2, false);
  } else {
    PIXELS(0, false);
  }
#undef PIXELS
  max_pool_edge(op, in, plane, rows, out, out_pixel, indices, end, op->width);
}

static void average_pool_row(
  const vk_pool_window *op, const view *in, const float *plane, float *out, int64_t out_pixel,
  int64_t y) {
  const window_span rows = row_span(op, y);
  const index_range inside = inner_columns(op);
  const int64_t height = row_weight(op, y);
  const int64_t step = op->dilation_x * in->pixel;
  for (int64_t x = 0; x < op->width; x++) {
    window_span columns = {.origin = x * op->stride_x - op->pad_left, .end = op->kernel_x};
    int64_t width = op->kernel_x;
    if (x < inside.begin || x >= inside.end) {
      columns = column_span(op, x);
      width = column_weight(op, x);
    }
    v16 sum = (v16)(0.0f);
    for (int64_t ky = rows.begin; ky < rows.end; ky++) {
      const float *tap = plane + (rows.origin + ky * op->dilation_y) * in->row
                         + (columns.origin + columns.begin * op->dilation_x) * in->pixel;
      for (int64_t kx = columns.begin; kx < columns.end; kx++, tap += step) sum += load(tap);
    }
    const int64_t weight = height * width;
    store(out + x * out_pixel, weight > 0 ? sum / (float)weight : (v16)(0.0f));
  }
}

// MARK: Backward

// Every input pixel collects from the windows over it, in row-major order: no two threads meet. Pixels one
// stride apart lie at the same taps of their windows, so these are found once for all of them.

// A window over the pixels of one phase.
typedef struct {
  const float *cotangent;   // of the window over pixel 0 of the phase, which may not exist
  const uint16_t *indices;
  int64_t first;            // the window over pixel 0
  int32_t tap;
  int64_t height;           // averages: taps down the window
  float weight;             // averages: what is divided by
} covering_window;

enum { most_windows = 16 };

VK_INLINE v16 covered_share(const covering_window *w, bool indexed, int64_t at, int64_t out_pixel) {
  const v16 g = load(w->cotangent + at * out_pixel);
  if (!indexed) return g / w->weight;
  const u16 chosen = *(const u16_unaligned *)(w->indices + at * VK_LANES);
  return __builtin_convertvector(chosen, m16) == w->tap ? g : (v16)(0.0f);
}

// The pixels of a phase, and their masks.
typedef struct {
  float *first;
  int64_t step, count;
  const uint16_t *bits;  // NULL: not masked
  int64_t bit_step;
  vk_backward_rule rule;
} phase_pixels;

VK_INLINE void store_cotangent(const phase_pixels *target, int64_t i, v16 sum) {
  if (target->bits) {
    const v16 zero = (v16)(0.0f);
    if (target->rule != VK_BACKWARD_GRADIENT) sum = sum > zero ? sum : zero;
    if (target->rule != VK_BACKWARD_DECONVNET) {
      sum = mask_of(target->bits[i * target->bit_step]) ? sum : zero;
    }
  }
  store(target->first + i * target->step, sum);
}

// Pixels `begin..<end` of a phase, over all of which lie the same windows.
VK_INLINE void collect_pixels(
  const int N, bool indexed, bool adds, const covering_window *windows, int count,
  const phase_pixels *target, int64_t out_pixel, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) {
    v16 sum = adds ? load(target->first + i * target->step) : (v16)(0.0f);
    if (N > 0) {
      VK_UNROLL for (int n = 0; n < N; n++) {
        sum += covered_share(&windows[n], indexed, i, out_pixel);
      }
    } else {
      for (int n = 0; n < count; n++) sum += covered_share(&windows[n], indexed, i, out_pixel);
    }
    store_cotangent(target, i, sum);
  }
}

// What some windows give to the pixels of a phase, written or added.
static void collect_phase(
  const pool_job *job, bool adds, const covering_window *windows, int count,
  const phase_pixels *target) {
  const vk_pool_window *op = job->op;
  const int64_t pixels = target->count, out_pixel = job->output.pixel;
  const bool indexed = job->indices != NULL;
  // Where all windows exist; and, for averages, where none reaches over an edge.
  index_range all = {0, pixels};
  const index_range inside = inner_columns(op);
  for (int n = 0; n < count; n++) {
    const int64_t low = indexed ? 0 : inside.begin, high = indexed ? op->width : inside.end;
    all.begin = larger(all.begin, low - windows[n].first);
    all.end = smaller(all.end, high - windows[n].first);
  }
  if (all.end < all.begin) all.begin = all.end = pixels;
  for (int64_t i = 0; i < pixels; i++) {
    if (i == all.begin && all.begin < all.end) {
#define COLLECT(N, indexed) \
  collect_pixels(N, indexed, false, windows, count, target, out_pixel, all.begin, all.end)
      if (adds || !indexed) {
        collect_pixels(
          0, indexed, adds, windows, count, target, out_pixel, all.begin, all.end);
      } else {
        switch (count) {
          case 1: COLLECT(1, true); break;
          case 2: COLLECT(2, true); break;
          case 4: COLLECT(4, true); break;
          default: COLLECT(0, true); break;
        }
      }
#undef COLLECT
      i = all.end - 1;
      continue;
    }
    v16 sum = adds ? load(target->first + i * target->step) : (v16)(0.0f);
    for (int n = 0; n < count; n++) {
      covering_window w = windows[n];
      const int64_t at = w.first + i;
      if (at < 0 || at >= op->width) continue;
      if (!indexed) w.weight = (float)(w.height * column_weight(op, at));
      sum += covered_share(&w, indexed, i, out_pixel);
    }
    store_cotangent(target, i, sum);
  }
}

static void pool_backward_row(
  const pool_job *job, float *in_row, const uint16_t *mask_row, const float *plane,
  const uint16_t *indices, int64_t y) {
  const vk_pool_window *op = job->op;
  const int64_t out_row = job->output.row, out_pixel = job->output.pixel;
  for (int64_t phase = 0; phase < smaller(op->stride_x, op->input_width); phase++) {
    phase_pixels target = {
      .first = in_row + phase * job->input.pixel,
      .step = op->stride_x * job->input.pixel,
      .count = divide_up(op->input_width - phase, op->stride_x),
    };
    covering_window windows[most_windows];
    int count = 0;
    bool adds = false;
    for (int64_t ky = op->kernel_y - 1; ky >= 0; ky--) {
      const int64_t down = y + op->pad_top - ky * op->dilation_y, oy = down / op->stride_y;
      if (down < 0 || oy * op->stride_y != down || oy >= op->height) continue;
      const int64_t height = job->indices ? 1 : row_weight(op, oy);
      for (int64_t kx = op->kernel_x - 1; kx >= 0; kx--) {
        const int64_t across = phase + op->pad_left - kx * op->dilation_x;
        // The window over pixel 0 may lie left of the first.
        const int64_t first = across / op->stride_x;
        if (first * op->stride_x != across) continue;
        if (count == most_windows) {
          collect_phase(job, adds, windows, count, &target);
          adds = true;
          count = 0;
        }
        windows[count++] = (covering_window){
          .cotangent = plane + oy * out_row + first * out_pixel,
          .indices = indices ? indices + (oy * op->width + first) * VK_LANES : NULL,
          .first = first,
          .tap = (int32_t)(ky * op->kernel_x + kx),
          .height = height,
          .weight = (float)(height * op->kernel_x),
        };
      }
    }
    if (mask_row) {
      target.bits = mask_row + phase * job->mask.pixel;
      target.bit_step = op->stride_x * job->mask.pixel;
      target.rule = op->rule;
    }
    collect_phase(job, adds, windows, count, &target);
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
        job, plane_row(&job->input, image, block, y),
        job->mask.base ? bit_row(&job->mask, image, block, y) : NULL,
        plane_row(&job->output, image, block, 0), indices, y);
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
    .mask = bit_view_of(&op->read_mask, buffers),
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
