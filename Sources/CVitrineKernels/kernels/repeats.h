// Equal windows have equal outputs: a rule that convolution in a fixed order keeps by itself, and minimal
// filtering breaks, because an output's rounding depends on its place in its tile.
//
// It matters where a maximum is taken over a flat region, such as a white background: the first of equal
// values wins, and gradients go there. So neighbouring outputs whose windows hold the same numbers all get
// the least of the values computed for them. Pictures without flat regions pay a few comparisons per tile.

enum { same_as_left = 1, same_as_above = 2 };

typedef struct {
  const vk_winograd *op;
  const planes *planes;
  uint8_t *flags;  // [image][height + 2][width + 2]
  _Atomic bool found;
} repeats;

VK_INLINE bool all_equal(v16 a, v16 b) { return bits_of(a == b) == 0xffff; }

static bool pixels_equal(const float *a, const float *b, int64_t block_stride, int64_t blocks) {
  for (int64_t block = 0; block < blocks; block++) {
    if (!all_equal(load(a + block * block_stride), load(b + block * block_stride))) return false;
  }
  return true;
}

// Whether a window inside a patch of `rows` x `columns` inputs, at most 6 x 6, may equal its neighbour:
// each window of 3 x 3 holds one of four pixels, which then equals the one beside or above it.
VK_INLINE bool patch_may_repeat(
  const float *in, int64_t row, int64_t block_stride, int64_t blocks, int64_t rows,
  int64_t columns) {
  for (int64_t y = 2; y < rows; y += 3) {
    for (int64_t x = 2; x < columns; x += 3) {
      const float *pixel = in + y * row + x * VK_LANES;
      if (
        pixels_equal(pixel, pixel - VK_LANES, block_stride, blocks)
        || pixels_equal(pixel, pixel - row, block_stride, blocks)) {
        return true;
      }
    }
  }
  return false;
}

// Finds, for each output of one image, whether its window equals that of its left or upper neighbour.
static void compare_windows_chunk(const void *context, int chunk) {
  const repeats *r = context;
  const planes *p = r->planes;
  const int64_t height = p->height + 2, width = p->width + 2;
  uint8_t *flags = r->flags + chunk * height * width;
  for (int64_t y = 0; y < height; y++) {
    const float *in = plane_row(&p->input, chunk, 0, y);
    for (int64_t x = 0; x < width; x++, in += VK_LANES) {
      const bool left = x > 0 && pixels_equal(in, in - VK_LANES, p->input.block, r->op->input_blocks);
      const bool above =
        y > 0 && pixels_equal(in, in - p->input.row, p->input.block, r->op->input_blocks);
      flags[y * width + x] = (uint8_t)((left ? same_as_left : 0) | (above ? same_as_above : 0));
    }
  }
  for (int64_t y = 0; y < height; y++) {
    uint8_t *row = flags + y * width;
    for (int64_t x = 0; x < p->width; x++) row[x] = row[x] & row[x + 1] & row[x + 2];
  }
  for (int64_t y = 0; y < p->height; y++) {
    uint8_t *row = flags + y * width;
    for (int64_t x = 0; x < p->width; x++) row[x] = row[x] & row[x + width] & row[x + 2 * width];
  }
}

// Lowers `value` to `other`, both finished outputs, if their residuals are equal too.
VK_INLINE bool lower_output(float *value, const float *other, const float *residual, const float *other_residual) {
  const v16 own = load(value), others = load(other);
  if (bits_of(others < own) == 0) return false;
  if (residual && !all_equal(load(residual), load(other_residual))) return false;
  store(value, others < own ? others : own);
  return true;
}

// Spreads the least value through one block of one image, to and fro until nothing changes.
static void level_outputs_chunk(const void *context, int chunk) {
  const repeats *r = context;
  const planes *p = r->planes;
  const vk_epilogue *epilogue = &r->op->epilogue;
  const int64_t image = chunk / r->op->output_blocks, block = chunk % r->op->output_blocks;
  const int64_t width = p->width + 2;
  const uint8_t *flags = r->flags + image * (p->height + 2) * width;
  float *out = plane_row(&p->output, image, block, 0);
  const float *residual =
    p->residual.base ? plane_row(&p->residual, image, block, 0) : NULL;
#define LOWER(y, x, other_y, other_x)                                                          \
  lower_output(                                                                                \
    out + (y) * p->output.row + (x) * p->output.pixel,                                         \
    out + (other_y) * p->output.row + (other_x) * p->output.pixel,                             \
    residual ? residual + (y) * p->residual.row + (x) * p->residual.pixel : NULL,              \
    residual ? residual + (other_y) * p->residual.row + (other_x) * p->residual.pixel : NULL)
  bool changed = true;
  while (changed) {
    changed = false;
    for (int64_t y = 0; y < p->height; y++) {
      for (int64_t x = 0; x < p->width; x++) {
        const uint8_t same = flags[y * width + x];
        if (same & same_as_left) changed |= LOWER(y, x, y, x - 1);
        if (same & same_as_above) changed |= LOWER(y, x, y - 1, x);
      }
    }
    for (int64_t y = p->height - 1; y >= 0; y--) {
      for (int64_t x = p->width - 1; x >= 0; x--) {
        const uint8_t same = flags[y * width + x];
        if (same & same_as_left) changed |= LOWER(y, x - 1, y, x);
        if (same & same_as_above) changed |= LOWER(y - 1, x, y, x);
      }
    }
  }
#undef LOWER
  if (!p->write.base) return;
  const bool clips = epilogue->function == VK_CLIP;
  for (int64_t y = 0; y < p->height; y++) {
    uint16_t *bits = bit_row(&p->write, image, block, y);
    for (int64_t x = 0; x < p->width; x++) {
      const v16 value = load(out + y * p->output.row + x * p->output.pixel);
      bits[x] = bits_of(
        clips ? (value > (v16)(epilogue->alpha)) & (value < (v16)(epilogue->beta))
              : value > (v16)(0.0f));
    }
  }
}

static void level_repeats(const repeats *r, vk_team *team) {
  const int images = r->planes->images;
  vk_team_run(team, images, compare_windows_chunk, r);
  vk_team_run(team, images * r->op->output_blocks, level_outputs_chunk, r);
}
