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

VK_INLINE tap_range range_of(int64_t tap, int64_t dilation, int64_t stride, int64_t pad, int64_t inputs, int64_t outputs) {
  const int64_t start = tap * dilation - pad;
  const int64_t begin = start >= 0 ? 0 : divide_up(-start, stride);
  const int64_t last = inputs - 1 - start;
  const int64_t end = last < 0 ? 0 : smaller(outputs, last / stride + 1);
  return (tap_range){.begin = smaller(begin, outputs), .end = end, .start = start};
}

// Fills `columns` for output rows `first`..<`last`; `input` is the first channel of the group in image 0.
// Up to 15 floats after each row of `columns` are overwritten.
static void gather_columns(
  float *columns, int64_t stride, const vk_sliding_window *w, const float *input,
  int64_t image_stride, int64_t channels, int64_t first, int64_t last) {
  const int64_t plane = (int64_t)w->input_height * w->input_width, width = w->width;
  for (int64_t channel = 0; channel < channels; channel++) {
    for (int64_t tap_y = 0; tap_y < w->kernel_y; tap_y++) {
      const tap_range y = range_of(
        tap_y, w->dilation_y, w->stride_y, w->pad_top, w->input_height, w->height);
      for (int64_t tap_x = 0; tap_x < w->kernel_x; tap_x++) {
        const tap_range x = range_of(
          tap_x, w->dilation_x, w->stride_x, w->pad_left, w->input_width, width);
        for (int64_t row = first; row < last;) {
          const row_run run = next_run(w, first, row, last);
          const float *from = input + run.image * image_stride + channel * plane
                              + (run.row * w->stride_y + y.start) * w->input_width + x.start;
          const int64_t step = (int64_t)w->stride_y * w->input_width;
          float *to = columns + run.column;
          if (width == 8 && x.begin == 0 && x.end == 8 && w->stride_x == 1 && run.row >= y.begin
              && run.row + run.rows <= y.end) {
            for (int64_t i = 0; i < run.rows; i++) {
              *(v8_unaligned *)to = *(const v8_unaligned *)from;
              to += 8;
              from += step;
            }
            row += run.rows;
            continue;
          }
          for (int64_t i = 0; i < run.rows; i++, to += width, from += step) {
            const int64_t at = run.row + i;
            if (at < y.begin || at >= y.end || x.begin >= x.end) {
              for (int64_t j = 0; j < width; j++) to[j] = 0;
              continue;
            }
            for (int64_t j = 0; j < x.begin; j++) to[j] = 0;
            if (w->stride_x == 1) {
              copy_loosely(to + x.begin, from + x.begin, x.end - x.begin);
            } else {
              for (int64_t j = x.begin; j < x.end; j++) to[j] = from[j * w->stride_x];
            }
            for (int64_t j = x.end; j < width; j++) to[j] = 0;
          }
          row += run.rows;
        }
        columns += stride;
      }
    }
  }
}

// The reverse: adds every column to the inputs it would have been read from.
static void scatter_columns(
  const float *columns, int64_t stride, const vk_sliding_window *w, float *input,
  int64_t image_stride, int64_t channels, int64_t first, int64_t last) {
  const int64_t plane = (int64_t)w->input_height * w->input_width, width = w->width;
  for (int64_t channel = 0; channel < channels; channel++) {
    for (int64_t tap_y = 0; tap_y < w->kernel_y; tap_y++) {
      const tap_range y = range_of(
        tap_y, w->dilation_y, w->stride_y, w->pad_top, w->input_height, w->height);
      for (int64_t tap_x = 0; tap_x < w->kernel_x; tap_x++) {
        const tap_range x = range_of(
          tap_x, w->dilation_x, w->stride_x, w->pad_left, w->input_width, width);
        for (int64_t row = first; row < last && x.begin < x.end;) {
          const row_run run = next_run(w, first, row, last);
          const int64_t begin = larger(run.row, y.begin);
          const int64_t end = smaller(run.row + run.rows, y.end);
          for (int64_t at = begin; at < end; at++) {
            float *to = input + run.image * image_stride + channel * plane
                        + (at * w->stride_y + y.start) * w->input_width + x.start;
            const float *from = columns + run.column + (at - run.row) * width;
            if (w->stride_x == 1) {
              add_to_row(to + x.begin, from + x.begin, x.end - x.begin);
            } else {
              for (int64_t j = x.begin; j < x.end; j++) to[j * w->stride_x] += from[j];
            }
          }
          row += run.rows;
        }
        columns += stride;
      }
    }
  }
}
