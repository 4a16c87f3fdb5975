// A convolution as a product of matrices: row (channel, tap) of `columns` holds, for every output pixel of a
// block, the input that this tap reads there. A block is some rows of output pixels, counted through all
// images.

typedef float v8 __attribute__((ext_vector_type(8)));
typedef v8 v8_unaligned __attribute__((aligned(4), may_alias));
typedef float v4 __attribute__((ext_vector_type(4)));
typedef v4 v4_unaligned __attribute__((aligned(4), may_alias));

// May write up to 15 floats more, and read as many.
VK_INLINE void copy_loosely(float *to, const float *from, int64_t count) {
  int64_t i = 0;
  for (; i + 8 < count; i += VK_LANES) store(to + i, load(from + i));
  if (i < count) *(v8_unaligned *)(to + i) = *(const v8_unaligned *)(from + i);
}

VK_INLINE void add_to_row(float *to, const float *from, int64_t count) {
  int64_t i = 0;
  for (; i + VK_LANES <= count; i += VK_LANES) store(to + i, load(to + i) + load(from + i));
  if (count - i >= 8) {
    *(v8_unaligned *)(to + i) += *(const v8_unaligned *)(from + i);
    i += 8;
  }
  if (count - i >= 4) {
    *(v4_unaligned *)(to + i) += *(const v4_unaligned *)(from + i);
    i += 4;
  }
  for (; i < count; i++) to[i] += from[i];
}

// Some consecutive rows of output pixels that lie in one image.
typedef struct {
  int64_t image, row, rows;
  int64_t column;  // of the first pixel, in the block
} row_run;

// The next run of a block of rows `from`..<`to`.
VK_INLINE row_run next_run(const vk_sliding_window *w, int64_t first, int64_t from, int64_t to) {
  const int64_t image = from / w->height, row = from - image * w->height;
  return (row_run){
    .image = image,
    .row = row,
    .rows = smaller(w->height - row, to - from),
    .column = (from - first) * w->width,
  };
}

// The output pixels of a row at which a tap reads inside the plane.
typedef struct {
  int64_t begin, end;
  int64_t start;  // input position that pixel 0 reads, inside or not
} tap_range;

VK_INLINE tap_range range_of(
  int64_t tap, int64_t dilation, int64_t stride, int64_t pad, int64_t inputs, int64_t outputs) {
  const int64_t start = tap * dilation - pad, last = inputs - 1 - start;
  // Division takes longer than copying a row.
  const int64_t begin = start >= 0 ? 0 : stride == 1 ? -start : divide_up(-start, stride);
  const int64_t end = last < 0 ? 0 : (stride == 1 ? last : last / stride) + 1;
  return (tap_range){
    .begin = smaller(begin, outputs), .end = smaller(end, outputs), .start = start};
}

// Where the rows of one run are read and written for one tap.
typedef struct {
  const tap_range *y, *x;
  const vk_sliding_window *window;
  int64_t row, rows;   // of the run
  int64_t input_step;  // between the inputs of successive output rows
} tap_rows;

// Copies what a tap reads at the pixels of a run; zeros where it reads padding.
VK_INLINE void gather_rows(const tap_rows *t, const float *from, float *to) {
  const int64_t width = t->window->width, step = t->input_step, stride = t->window->stride_x;
  const int64_t begin = t->x->begin, count = t->x->end - begin;
  if (begin == 0 && count == width && stride == 1 && t->row >= t->y->begin
      && t->row + t->rows <= t->y->end) {
    // All of it lies inside.
    if (width == 8) {
      for (int64_t i = 0; i < t->rows; i++) {
        *(v8_unaligned *)(to + i * 8) = *(const v8_unaligned *)(from + i * step);
      }
    } else {
      for (int64_t i = 0; i < t->rows; i++) copy_loosely(to + i * width, from + i * step, width);
    }
    return;
  }
  for (int64_t i = 0; i < t->rows; i++, to += width, from += step) {
    const int64_t at = t->row + i;
    if (at < t->y->begin || at >= t->y->end || count <= 0) {
      for (int64_t j = 0; j < width; j += VK_LANES) store(to + j, (v16)(0.0f));
      continue;
    }
    if (begin > 0) {
      for (int64_t j = 0; j < begin; j++) to[j] = 0;
    }
    if (stride == 1) {
      copy_loosely(to + begin, from + begin, count);
    } else {
      for (int64_t j = begin; j < begin + count; j++) to[j] = from[j * stride];
    }
    if (begin + count < width) {
      for (int64_t j = begin + count; j < width; j++) to[j] = 0;
    }
  }
}

// The reverse: adds to the inputs.
VK_INLINE void scatter_rows(const tap_rows *t, float *to, const float *from) {
  const int64_t width = t->window->width, step = t->input_step, stride = t->window->stride_x;
  const int64_t begin = t->x->begin, count = t->x->end - begin;
  const int64_t first = larger(0, t->y->begin - t->row);
  const int64_t last = smaller(t->rows, t->y->end - t->row);
  if (width == 8 && begin == 0 && count == 8 && stride == 1) {
    for (int64_t i = first; i < last; i++) {
      *(v8_unaligned *)(to + i * step) += *(const v8_unaligned *)(from + i * 8);
    }
    return;
  }
  for (int64_t i = first; i < last; i++) {
    if (stride == 1) {
      add_to_row(to + i * step + begin, from + i * width + begin, count);
    } else {
      for (int64_t j = begin; j < begin + count; j++) to[i * step + j * stride] += from[i * width + j];
    }
  }
}

// Visits every tap of every run of output rows `first`..<`last`; `input` is the first channel of the group in
// image 0.
VK_INLINE void visit_columns(
  const bool scatters, float *columns, int64_t stride, const vk_sliding_window *w, float *input,
  int64_t image_stride, int64_t channels, int64_t first, int64_t last) {
  const int64_t plane = (int64_t)w->input_height * w->input_width;
  for (int64_t next = first; next < last;) {
    const row_run run = next_run(w, first, next, last);
    next += run.rows;
    float *row = columns + run.column;
    tap_range y, x;
    const tap_rows t = {
      .y = &y,
      .x = &x,
      .window = w,
      .row = run.row,
      .rows = run.rows,
      .input_step = (int64_t)w->stride_y * w->input_width,
    };
    for (int64_t channel = 0; channel < channels; channel++) {
      float *from = input + run.image * image_stride + channel * plane;
      for (int64_t tap_y = 0; tap_y < w->kernel_y; tap_y++) {
        y = range_of(tap_y, w->dilation_y, w->stride_y, w->pad_top, w->input_height, w->height);
        float *line = from + (run.row * w->stride_y + y.start) * w->input_width;
        for (int64_t tap_x = 0; tap_x < w->kernel_x; tap_x++) {
          x = range_of(tap_x, w->dilation_x, w->stride_x, w->pad_left, w->input_width, w->width);
          if (scatters) {
            scatter_rows(&t, line + x.start, row);
          } else {
            gather_rows(&t, line + x.start, row);
          }
          row += stride;
        }
      }
    }
  }
}

// Fills `columns` for some output rows. Up to 15 floats after each row of `columns` are overwritten.
static void gather_columns(
  float *columns, int64_t stride, const vk_sliding_window *w, const float *input,
  int64_t image_stride, int64_t channels, int64_t first, int64_t last) {
  visit_columns(
    false, columns, stride, w, (float *)input, image_stride, channels, first, last);
}

// The reverse: adds every column to the inputs it would have been read from.
static void scatter_columns(
  float *columns, int64_t stride, const vk_sliding_window *w, float *input, int64_t image_stride,
  int64_t channels, int64_t first, int64_t last) {
  visit_columns(true, columns, stride, w, input, image_stride, channels, first, last);
}
