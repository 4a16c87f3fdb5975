// Depthwise convolution in the frequency domain. A tile of the input is transformed, multiplied by the transforms
// of the filters, and transformed back; the pixels that wrapped around are left out ("overlap-save").
//
// Two rows of real numbers are transformed as one row of complex ones, and taken apart by symmetry; so a
// spectrum has points_x / 2 + 1 columns. Nothing else is paired: every tile of every channel is computed
// alone, the same way whatever is computed with it.
//
// Up to four filters do not fill sixteen lanes: then four tiles are computed side by side, a quarter of the
// lanes each.

enum { most_points = 96, most_multiplier = 16, most_sides = 4, side_lanes = VK_LANES / most_sides };

typedef struct {
  const vk_spectral *op;
  planes planes;
  tile tile;
  const transform *across, *down;
  const float *across_roots, *down_roots;
  uint8_t places[most_points / 2 + 1], mirrored[most_points / 2 + 1];  // of frequencies k and -k across
  float *scratch;
  int sides;              // tiles side by side: 1 or most_sides
  int64_t tiles_across, tiles_down;
  int64_t column_stride;  // floats of one column of a spectrum
  int64_t filter_blocks;
  int64_t units;          // `sides` tiles each, of all blocks of all images
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

// The part of a tile's row that lies in the input's planes.
typedef struct {
  const float *pixels;  // of point 0, which may lie outside
  int64_t begin, end;   // empty where there is no input
} input_row;

VK_INLINE input_row input_row_of(
  const view *in, const float *plane, const spectral_tile *t, int64_t row, int points,
  int64_t height, int64_t width) {
  const int64_t y = t->input_top + row;
  if (y < 0 || y >= height) return (input_row){0};
  return (input_row){
    .pixels = plane + y * in->row + t->input_left * in->pixel,
    .begin = larger(0, -t->input_left),
    .end = smaller(points, width - t->input_left),
  };
}

// Reads a row of points, zero where there is no input. Returns whether there is any.
static bool read_points(
  v16 *points, int count, const view *in, const float *plane, const spectral_tile *tiles, int sides,
  int64_t row, int64_t height, int64_t width) {
  if (sides == 1) {
    const input_row source = input_row_of(in, plane, tiles, row, count, height, width);
    const bool exists = source.begin < source.end;
    const int64_t begin = exists ? source.begin : count, end = exists ? source.end : count;
    for (int64_t i = 0; i < begin; i++) points[i] = (v16)(0.0f);
    for (int64_t i = begin; i < end; i++) points[i] = load(source.pixels + i * in->pixel);
    for (int64_t i = end; i < count; i++) points[i] = (v16)(0.0f);
    return exists;
  }
  bool any = false;
  memset(points, 0, (size_t)count * sizeof *points);
  for (int side = 0; side < sides; side++) {
    const input_row source = input_row_of(in, plane, &tiles[side], row, count, height, width);
    any = any || source.begin < source.end;
    float *lanes = (float *)points + side * side_lanes;
    for (int64_t i = source.begin; i < source.end; i++) {
      memcpy(lanes + i * VK_LANES, source.pixels + i * in->pixel, side_lanes * sizeof(float));
    }
  }
  return any;
}

// Rows `row` and `row + 1` of a spectrum, from the transform of one + i other; both twice too large.
static void separate_rows(
  const spectral_job *job, const v16 *re, const v16 *im, float *spectrum, int64_t row) {
  const int points = job->across->points;
  const int64_t imaginary = (int64_t)job->down->points * VK_LANES;
  for (int k = 0; k <= points / 2; k++) {
    const int a = job->places[k], b = job->mirrored[k];
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
    const int a = job->places[k], b = job->mirrored[k];
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
  const spectral_job *job, const spectral_tile *tiles, int64_t block, float *spectrum) {
  const vk_spectral *op = job->op;
  const view *in = &job->planes.input;
  const float *plane = plane_row(in, tiles->image, block, 0);
  const int64_t height = op->input_height, width = op->input_width;
  v16 re[most_points], im[most_points];
  const int points = job->across->points;
  const int64_t imaginary = (int64_t)job->down->points * VK_LANES;
  for (int64_t row = 0; row < job->down->points; row += 2) {
    const bool first =
      read_points(re, points, in, plane, tiles, job->sides, row, height, width);
    const bool second =
      read_points(im, points, in, plane, tiles, job->sides, row + 1, height, width);
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

// One row of finished points to where a tile's row belongs.
static void finish_points(
  const spectral_job *job, tile *out, v16 *points, const spectral_tile *t, int side, int64_t block,
  int64_t row) {
  if (row >= t->height || t->width == 0) return;
  place_tile(
    out, &job->planes, job->op->epilogue.bias, t->image, block, t->top + row, t->left);
  if (job->sides == 1) {
    finish_strip(out, points + t->first_pixel, t->width);
    return;
  }
  v16 values[most_points];
  const float *lanes = (const float *)(points + t->first_pixel) + side * side_lanes;
  for (int64_t i = 0; i < t->width; i++) {
    values[i] = (v16)(0.0f);
    memcpy(&values[i], lanes + i * VK_LANES, side_lanes * sizeof(float));
  }
  finish_strip(out, values, t->width);
}

// Back to pixels, and out.
static void finish_rows(
  const spectral_job *job, const float *spectrum, const spectral_tile *tiles, int64_t block) {
  v16 re[most_points], im[most_points];
  tile out = job->tile;
  int64_t height = tiles->height;
  for (int side = 1; side < job->sides; side++) height = larger(height, tiles[side].height);
  for (int64_t row = 0; row < height; row += 2) {
    // Any two rows make a pair, not only those that were one on the way in.
    join_rows_of_spectrum(job, re, im, spectrum, tiles->first_row + row);
    job->across->from_spectrum(im, re, job->across_roots);
    for (int side = 0; side < job->sides; side++) {
      finish_points(job, &out, re, &tiles[side], side, block, row);
      finish_points(job, &out, im, &tiles[side], side, block, row + 1);
    }
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

// Lanes of block `part` of those that one input block feeds: lane l filters input lane (16 part + l) / multiplier.
static m16 source_lanes(int multiplier, int part, int sides) {
  m16 lanes;
  const int span = VK_LANES / sides;
  for (int l = 0; l < VK_LANES; l++) {
    lanes[l] = l / span * span + (VK_LANES * part + l % span) / multiplier;
  }
  return lanes;
}

// The forward pass: one input block, and the `multiplier` output blocks that filter it.
static void filter_tiles(
  const spectral_job *job, const spectral_tile *tiles, int64_t block, float *spectrum, float *filtered) {
  const vk_spectral *op = job->op;
  const int columns = job->across->points / 2 + 1, rows = job->down->points;
  const int64_t imaginary = (int64_t)rows * VK_LANES;
  const int64_t filter_size = 2 * imaginary * columns;
  transform_rows(job, tiles, block, spectrum);
  const int64_t first = block * op->multiplier;
  const int64_t last = smaller(first + op->multiplier, job->filter_blocks);
  for (int64_t out = first; out < last; out++) {
    const m16 lanes = source_lanes(op->multiplier, (int)(out - first), job->sides);
    for (int k = 0; k < columns; k++) {
      float *column = spectrum + k * job->column_stride;
      if (out == first) {
        job->down->to_spectrum((v16_unaligned *)column, (v16_unaligned *)(column + imaginary), job->down_roots);
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
      job->down->from_spectrum((v16_unaligned *)(result + imaginary), (v16_unaligned *)result, job->down_roots);
    }
    finish_rows(job, filtered, tiles, out);
  }
}

// The lane of block `part` that holds filter `copy` of each output lane, -1 if another block does.
static m16 copy_lanes(int multiplier, int part, int copy, int sides) {
  m16 lanes;
  const int span = VK_LANES / sides;
  for (int l = 0; l < VK_LANES; l++) {
    const int channel = l % span * multiplier + copy - VK_LANES * part;
    lanes[l] = channel >= 0 && channel < span ? l / span * span + channel : -1;
  }
  return lanes;
}

// The backward pass: `multiplier` blocks of cotangents, summed into one.
static void gather_tiles(
  const spectral_job *job, const spectral_tile *tiles, int64_t block, float *spectrum, float *sum) {
  const vk_spectral *op = job->op;
  const int columns = job->across->points / 2 + 1, rows = job->down->points;
  const int64_t imaginary = (int64_t)rows * VK_LANES;
  const int64_t filter_size = 2 * imaginary * columns;
  const int multiplier = op->multiplier;
  const int64_t first = block * multiplier;
  const int64_t last = smaller(first + multiplier, job->filter_blocks);
  m16 lanes[most_multiplier], chosen[most_multiplier];
  for (int64_t in = first; in < last; in++) {
    transform_rows(job, tiles, in, spectrum);
    int copies = 0;
    for (int copy = 0; copy < multiplier && multiplier > 1; copy++) {
      const m16 from = copy_lanes(multiplier, (int)(in - first), copy, job->sides), exists = from >= 0;
      if (bits_of(exists) == 0) continue;
      chosen[copies] = exists;
      lanes[copies++] = from & exists;
    }
    for (int k = 0; k < columns; k++) {
      float *column = spectrum + k * job->column_stride;
      job->down->to_spectrum((v16_unaligned *)column, (v16_unaligned *)(column + imaginary), job->down_roots);
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
        job->down->from_spectrum((v16_unaligned *)(result + imaginary), (v16_unaligned *)result, job->down_roots);
      }
    }
  }
  finish_rows(job, sum, tiles, block);
}

// MARK: One operation

// Tile `index` of one image; of no extent past the last.
static spectral_tile spectral_tile_at(const spectral_job *job, int64_t image, int64_t index) {
  const vk_spectral *op = job->op;
  const even_parts heights = even_parts_of(op->height, job->tiles_down);
  const even_parts widths = even_parts_of(op->width, job->tiles_across);
  const int64_t down = index / job->tiles_across, across = index % job->tiles_across;
  spectral_tile t = {.image = image};
  if (op->transposed) {
    // A filter of k points reaches k - 1 points ahead forward, and back backward.
    t.first_row = op->kernel_y - 1;
    t.first_pixel = op->kernel_x - 1;
  }
  if (down >= job->tiles_down) {
    t.input_top = op->input_height;
    return t;
  }
  t.top = begin_of(heights, down);
  t.left = begin_of(widths, across);
  t.height = size_of(heights, down);
  t.width = size_of(widths, across);
  t.input_top = t.top - t.first_row + (op->transposed ? op->pad_top : -op->pad_top);
  t.input_left = t.left - t.first_pixel + (op->transposed ? op->pad_left : -op->pad_left);
  return t;
}

static void spectral_chunk(const void *context, int chunk) {
  const spectral_job *job = context;
  const vk_spectral *op = job->op;
  const int64_t spectrum_size = job->column_stride * (job->across->points / 2 + 1);
  float *spectrum = job->scratch + vk_team_member() * 2 * spectrum_size;
  float *other = spectrum + spectrum_size;
  const int64_t per_block = divide_up(job->tiles_down * job->tiles_across, job->sides);
  const int64_t blocks = divide_up(op->filters / op->multiplier, VK_LANES);
  const int64_t end = part_begin(job->units, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->units, job->chunks, chunk); i < end; i++) {
    const int64_t block = i / per_block % blocks, image = i / per_block / blocks;
    spectral_tile tiles[most_sides];
    for (int side = 0; side < job->sides; side++) {
      tiles[side] = spectral_tile_at(job, image, i % per_block * job->sides + side);
    }
    if (op->transposed) {
      gather_tiles(job, tiles, block, spectrum, other);
    } else {
      filter_tiles(job, tiles, block, spectrum, other);
    }
  }
}

VK_INLINE int sides_of(int64_t filters) { return filters <= side_lanes ? most_sides : 1; }

static void find_places(spectral_job *job) {
  const int points = job->across->points;
  for (int k = 0; k <= points / 2; k++) {
    job->places[k] = (uint8_t)frequency_place(job->across, k);
    job->mirrored[k] = (uint8_t)frequency_place(job->across, k ? points - k : 0);
  }
}

static void run_spectral(const vk_spectral *op, void *const *buffers, vk_team *team) {
  const transform *across = transform_of(op->points_x), *down = transform_of(op->points_y);
  if (op->images <= 0 || op->filters <= 0 || op->height <= 0 || op->width <= 0) return;
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
    .sides = sides_of(op->filters),
    .filter_blocks = divide_up(op->filters, VK_LANES),
  };
  find_places(&job);
  job.tile = tile_for(&job.planes, &op->epilogue);
  job.units = op->images * divide_up(op->filters / op->multiplier, VK_LANES)
              * divide_up(job.tiles_down * job.tiles_across, job.sides);
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
  spectral_job job = {.across = across, .down = down, .column_stride = 2 * imaginary};
  find_places(&job);
  const size_t span = VK_LANES / (size_t)sides_of((int64_t)channels);
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
          for (size_t lane = 0; lane < VK_LANES; lane++) {
            const size_t channel = block * VK_LANES + lane % span;
            if (channel >= channels) continue;
            const size_t row_index = channel * (size_t)kernel_y + (size_t)(y / dilation_y);
            line[x * dilation_x][lane] = scale * source[row_index * (size_t)kernel_x + (size_t)x];
          }
        }
      }
      across->to_spectrum(re, im, vk_roots(across->outer, across->inner));
      separate_rows(&job, re, im, spectrum, row);
    }
    for (int k = 0; k <= points_x / 2; k++) {
      float *column = spectrum + 2 * imaginary * k;
      down->to_spectrum(
        (v16_unaligned *)column, (v16_unaligned *)(column + imaginary), vk_roots(down->outer, down->inner));
    }
  }
}
