// Depthwise convolution in the frequency domain. A tile of the input is transformed, multiplied by the transforms
// of the filters, and transformed back; the pixels that wrapped around are left out ("overlap-save").
//
// Two rows of real numbers are transformed as one row of complex ones, and taken apart by symmetry; so a
// spectrum has points_x / 2 + 1 columns. Nothing else is paired: every tile of every channel is computed
// alone, the same way whatever is computed with it.

enum { most_points = 96, most_multiplier = 16 };

typedef struct {
  const vk_spectral *op;
  planes planes;
  tile tile;
  const transform *across, *down;
  const float *across_roots, *down_roots;
  float *scratch;
  int64_t tiles_across, tiles_down;
  int64_t column_stride;  // floats of one column of a spectrum
  int64_t units;          // tiles of all blocks of all images
  int chunks;
} spectral_job;

// One tile: outputs `height` x `width` from (top, left), and the input pixel under its first point.
typedef struct {
  int64_t image, top, left, height, width;
  int64_t input_top, input_left;
  int64_t first_row, first_pixel;  // of the points that are outputs
} spectral_tile;

VK_INLINE int64_t spectral_column_stride(int points_y) {
  // An odd number of vectors: columns must not fall into the same sets of a cache.
  return (2 * (int64_t)points_y + 1) * VK_LANES;
}

// Reads part of a row, zero where there is no input. Returns whether there is any.
static bool read_points(
  v16 *points, int count, const view *in, const float *plane, int64_t row, int64_t left,
  int64_t height, int64_t width) {
  const int64_t begin = larger(0, -left), end = smaller(count, width - left);
  if (row < 0 || row >= height || begin >= end) {
    memset(points, 0, (size_t)count * sizeof *points);
    return false;
  }
  const float *pixels = plane + row * in->row + left * in->pixel;
  for (int64_t i = 0; i < begin; i++) points[i] = (v16)(0.0f);
  for (int64_t i = begin; i < end; i++) points[i] = load(pixels + i * in->pixel);
  for (int64_t i = end; i < count; i++) points[i] = (v16)(0.0f);
  return true;
}

// Rows `row` and `row + 1` of a spectrum, from the transform of one + i other; both twice too large.
static void separate_rows(
  const spectral_job *job, const v16 *re, const v16 *im, float *spectrum, int64_t row) {
  const int points = job->across->points;
  const int64_t imaginary = (int64_t)job->down->points * VK_LANES;
  for (int k = 0; k <= points / 2; k++) {
    const int a = place_of(job->across, k), b = place_of(job->across, k ? points - k : 0);
    float *column = spectrum + k * job->column_stride + row * VK_LANES;
    store(column, re[a] + re[b]);
    store(column + VK_LANES, im[a] + im[b]);
    store(column + imaginary, im[a] - im[b]);
    store(column + imaginary + VK_LANES, re[b] - re[a]);
  }
}

// The inverse of that, but for the factor.
static void join_rows_of_spectrum(
  const spectral_job *job, v16 *re, v16 *im, const float *spectrum, int64_t row) {
  const int points = job->across->points;
  const int64_t imaginary = (int64_t)job->down->points * VK_LANES;
  for (int k = 0; k <= points / 2; k++) {
    const int a = place_of(job->across, k), b = place_of(job->across, k ? points - k : 0);
    const float *column = spectrum + k * job->column_stride + row * VK_LANES;
    const v16 one_re = load(column), other_re = load(column + VK_LANES);
    const v16 one_im = load(column + imaginary), other_im = load(column + imaginary + VK_LANES);
    re[b] = one_re + other_im;
    im[b] = other_re - one_im;
    re[a] = one_re - other_im;
    im[a] = one_im + other_re;
  }
}

// The rows of a tile's spectrum: each row transformed, columns not yet.
static void transform_rows(
  const spectral_job *job, const view *in, const float *plane, const spectral_tile *t,
  int64_t height, int64_t width, float *spectrum) {
  v16 re[most_points], im[most_points];
  const int points = job->across->points;
  const int64_t imaginary = (int64_t)job->down->points * VK_LANES;
  for (int64_t row = 0; row < job->down->points; row += 2) {
    const int64_t y = t->input_top + row;
    const bool first = read_points(re, points, in, plane, y, t->input_left, height, width);
    const bool second = read_points(im, points, in, plane, y + 1, t->input_left, height, width);
    if (first || second) {
      job->across->to_spectrum(re, im, job->across_roots);
      separate_rows(job, re, im, spectrum, row);
      continue;
    }
    for (int k = 0; k <= points / 2; k++) {
      float *column = spectrum + k * job->column_stride + row * VK_LANES;
      memset(column, 0, 2 * VK_LANES * sizeof(float));
      memset(column + imaginary, 0, 2 * VK_LANES * sizeof(float));
    }
  }
}

// Back to pixels, and out.
static void finish_rows(
  const spectral_job *job, const float *spectrum, const spectral_tile *t, int64_t block) {
  v16 re[most_points], im[most_points];
  tile out = job->tile;
  for (int64_t row = 0; row < t->height; row += 2) {
    // Points 2 n and 2 n + 1 were paired: first_row may be odd, but rows of a spectrum pair at will.
    const int64_t point = t->first_row + row;
    join_rows_of_spectrum(job, re, im, spectrum, point);
    job->across->from_spectrum(im, re, job->across_roots);
    place_tile(
      &out, &job->planes, job->op->epilogue.bias, t->image, block, t->top + row, t->left);
    finish_strip(&out, re + t->first_pixel, t->width);
    if (row + 1 == t->height) break;
    place_tile(
      &out, &job->planes, job->op->epilogue.bias, t->image, block, t->top + row + 1, t->left);
    finish_strip(&out, im + t->first_pixel, t->width);
  }
}

// MARK: Products of spectra

// filtered = values times the conjugate of the filter: correlation, the forward pass.
VK_INLINE void multiply_conjugate(
  v16 *re, v16 *im, v16 x, v16 y, v16 filter_re, v16 filter_im) {
  *re = multiply_add(y, filter_im, x * filter_re);
  *im = multiply_add(x, -filter_im, y * filter_re);
}

VK_INLINE void multiply(v16 *re, v16 *im, v16 x, v16 y, v16 filter_re, v16 filter_im) {
  *re = multiply_add(y, -filter_im, x * filter_re);
  *im = multiply_add(x, filter_im, y * filter_re);
}

// Lanes of output block `part` of those that one input block feeds: lane l filters input lane (16 part + l) / multiplier.
static m16 source_lanes(int multiplier, int part) {
  m16 lanes;
  for (int l = 0; l < VK_LANES; l++) lanes[l] = (VK_LANES * part + l) / multiplier;
  return lanes;
}

// The forward pass of one tile: one input block, and the `multiplier` output blocks that filter it.
static void filter_tile(
  const spectral_job *job, const spectral_tile *t, int64_t block, float *spectrum, float *filtered) {
  const vk_spectral *op = job->op;
  const int columns = job->across->points / 2 + 1, rows = job->down->points;
  const int64_t imaginary = (int64_t)rows * VK_LANES;
  const int64_t filter_size = 2 * imaginary * columns;
  transform_rows(
    job, &job->planes.input, plane_row(&job->planes.input, t->image, block, 0), t,
    op->input_height, op->input_width, spectrum);
  const int64_t first = block * op->multiplier;
  const int64_t last = smaller(first + op->multiplier, op->filter_blocks);
  for (int64_t out = first; out < last; out++) {
    const m16 lanes = source_lanes(op->multiplier, (int)(out - first));
    for (int k = 0; k < columns; k++) {
      float *column = spectrum + k * job->column_stride;
      if (out == first) {
        job->down->to_spectrum((v16 *)column, (v16 *)(column + imaginary), job->down_roots);
      }
      const float *filter = op->spectra + out * filter_size + 2 * imaginary * k;
      float *result = filtered + k * job->column_stride;
      for (int64_t i = 0; i < imaginary; i += VK_LANES) {
        v16 x = load(column + i), y = load(column + imaginary + i), re, im;
        if (op->multiplier > 1) {
          x = permuted(x, lanes);
          y = permuted(y, lanes);
        }
        multiply_conjugate(
          &re, &im, x, y, load(filter + i), load(filter + imaginary + i));
        store(result + i, re);
        store(result + imaginary + i, im);
      }
      job->down->from_spectrum((v16 *)(result + imaginary), (v16 *)result, job->down_roots);
    }
    finish_rows(job, filtered, t, out);
  }
}

// For output lane i and tap m of `multiplier`: lane of the given block that belongs to it, -1 if in another block.
static m16 copy_lanes(int multiplier, int part, int copy) {
  m16 lanes;
  for (int l = 0; l < VK_LANES; l++) {
    const int channel = l * multiplier + copy - VK_LANES * part;
    lanes[l] = channel >= 0 && channel < VK_LANES ? channel : -1;
  }
  return lanes;
}

// The backward pass of one tile: `multiplier` blocks of cotangents, summed into one.
static void gather_tile(
  const spectral_job *job, const spectral_tile *t, int64_t block, float *spectrum, float *sum) {
  const vk_spectral *op = job->op;
  const int columns = job->across->points / 2 + 1, rows = job->down->points;
  const int64_t imaginary = (int64_t)rows * VK_LANES;
  const int64_t filter_size = 2 * imaginary * columns;
  const int multiplier = op->multiplier;
  const int64_t first = block * multiplier;
  const int64_t last = smaller(first + multiplier, op->filter_blocks);
  m16 lanes[most_multiplier], chosen[most_multiplier];
  for (int64_t in = first; in < last; in++) {
    transform_rows(
      job, &job->planes.input, plane_row(&job->planes.input, t->image, in, 0), t,
      op->input_height, op->input_width, spectrum);
    int copies = 0;
    for (int copy = 0; copy < multiplier && multiplier > 1; copy++) {
      const m16 from = copy_lanes(multiplier, (int)(in - first), copy), exists = from >= 0;
      if (bits_of(exists) == 0) continue;
      chosen[copies] = exists;
      lanes[copies++] = from & exists;
    }
    for (int k = 0; k < columns; k++) {
      float *column = spectrum + k * job->column_stride;
      job->down->to_spectrum((v16 *)column, (v16 *)(column + imaginary), job->down_roots);
      const float *filter = op->spectra + in * filter_size + 2 * imaginary * k;
      float *result = sum + k * job->column_stride;
      for (int64_t i = 0; i < imaginary; i += VK_LANES) {
        v16 re, im;
        multiply(
          &re, &im, load(column + i), load(column + imaginary + i), load(filter + i),
          load(filter + imaginary + i));
        if (multiplier > 1) {
          v16 total_re = (v16)(0.0f), total_im = (v16)(0.0f);
          if (in > first) {
            total_re = load(result + i);
            total_im = load(result + imaginary + i);
          }
          for (int copy = 0; copy < copies; copy++) {
            total_re += chosen[copy] ? permuted(re, lanes[copy]) : (v16)(0.0f);
            total_im += chosen[copy] ? permuted(im, lanes[copy]) : (v16)(0.0f);
          }
          re = total_re;
          im = total_im;
        }
        store(result + i, re);
        store(result + imaginary + i, im);
      }
      if (in + 1 == last) {
        job->down->from_spectrum((v16 *)(result + imaginary), (v16 *)result, job->down_roots);
      }
    }
  }
  finish_rows(job, sum, t, block);
}

// MARK: One operation

static void spectral_chunk(const void *context, int chunk) {
  const spectral_job *job = context;
  const vk_spectral *op = job->op;
  const int64_t spectrum_size = job->column_stride * (job->across->points / 2 + 1);
  float *spectrum = job->scratch + vk_team_member() * 2 * spectrum_size;
  float *other = spectrum + spectrum_size;
  const even_parts heights = even_parts_of(op->height, job->tiles_down);
  const even_parts widths = even_parts_of(op->width, job->tiles_across);
  const int64_t per_block = job->tiles_down * job->tiles_across;
  const int64_t end = part_begin(job->units, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->units, job->chunks, chunk); i < end; i++) {
    const int64_t block = i / per_block % op->blocks;
    const int64_t down = i % per_block / job->tiles_across, across = i % job->tiles_across;
    spectral_tile t = {
      .image = i / per_block / op->blocks,
      .top = begin_of(heights, down),
      .left = begin_of(widths, across),
      .height = size_of(heights, down),
      .width = size_of(widths, across),
    };
    // A filter of k points reaches k - 1 points ahead forward, and back backward.
    if (op->transposed) {
      t.first_row = op->kernel_y - 1;
      t.first_pixel = op->kernel_x - 1;
      t.input_top = t.top + op->pad_top - t.first_row;
      t.input_left = t.left + op->pad_left - t.first_pixel;
      gather_tile(job, &t, block, spectrum, other);
    } else {
      t.input_top = t.top - op->pad_top;
      t.input_left = t.left - op->pad_left;
      filter_tile(job, &t, block, spectrum, other);
    }
  }
}

static void run_spectral(const vk_spectral *op, void *const *buffers, vk_team *team) {
  const transform *across = transform_of(op->points_x), *down = transform_of(op->points_y);
  if (op->images <= 0 || op->blocks <= 0 || op->height <= 0 || op->width <= 0) return;
  if (!across || !down || op->kernel_x >= op->points_x || op->kernel_y >= op->points_y) return;
  if (op->multiplier < 1 || op->multiplier > most_multiplier) return;
  spectral_job job = {
    .op = op,
    .planes =
      planes_of(
        &op->input, &op->output, &op->epilogue, buffers, op->images, op->height, op->width),
    .across = across,
    .down = down,
    .across_roots = vk_roots(across->outer, across->inner),
    .down_roots = vk_roots(down->outer, down->inner),
    .scratch = (float *)buffers[op->scratch_buffer] + op->scratch_offset,
    .tiles_across = divide_up(op->width, op->points_x - op->kernel_x + 1),
    .tiles_down = divide_up(op->height, op->points_y - op->kernel_y + 1),
    .column_stride = spectral_column_stride(op->points_y),
  };
  job.tile = tile_for(&job.planes, &op->epilogue);
  job.units = (int64_t)op->images * op->blocks * job.tiles_down * job.tiles_across;
  // Up to 16 chunks of a few tiles each; a tile takes tens of microseconds.
  const double per_tile = 1e6 * (op->multiplier + 1);
  job.chunks = vk_team_chunks(team, job.units, per_tile * job.units);
  vk_team_run(team, job.chunks, spectral_chunk, &job);
}

// MARK: Packing

static void pack_spectra(
  float *packed, const float *source, size_t channels, int kernel_y, int kernel_x, int dilation_y,
  int dilation_x, int points_y, int points_x) {
  const transform *across = transform_of(points_x), *down = transform_of(points_y);
  if (!across || !down) return;
  const int64_t imaginary = (int64_t)points_y * VK_LANES;
  v16 re[most_points], im[most_points];
  const spectral_job job = {
    .across = across, .down = down, .column_stride = 2 * imaginary};
  // Rows of filters and of tiles are twice too large when taken apart; both transforms lack their factor.
  const float scale = 1.0f / (4.0f * (float)points_y * (float)points_x);
  for (size_t block = 0; block < (channels + VK_LANES - 1) / VK_LANES; block++) {
    float *spectrum = packed + (int64_t)block * 2 * imaginary * (points_x / 2 + 1);
    memset(spectrum, 0, (size_t)(2 * imaginary * (points_x / 2 + 1)) * sizeof(float));
    for (int row = 0; row < points_y; row += 2) {
      memset(re, 0, sizeof re);
      memset(im, 0, sizeof im);
      for (int pair = 0; pair < 2; pair++) {
        const int y = row + pair;
        if (y % dilation_y != 0 || y / dilation_y >= kernel_y) continue;
        v16 *line = pair ? im : re;
        for (int x = 0; x < kernel_x; x++) {
          for (size_t lane = 0; lane < VK_LANES && block * VK_LANES + lane < channels; lane++) {
            line[x * dilation_x][lane] =
              scale
              * source[((block * VK_LANES + lane) * (size_t)kernel_y + (size_t)(y / dilation_y))
                         * (size_t)kernel_x
                       + (size_t)x];
          }
        }
      }
      across->to_spectrum(re, im, vk_roots(across->outer, across->inner));
      separate_rows(&job, re, im, spectrum, row);
    }
    for (int k = 0; k <= points_x / 2; k++) {
      float *column = spectrum + 2 * imaginary * k;
      down->to_spectrum(
        (v16 *)column, (v16 *)(column + imaginary), vk_roots(down->outer, down->inner));
    }
  }
}
