// A tile: R rows of Q pixels of B blocks of one output, held in registers until it is finished.

static const float no_bias[2 * VK_LANES];

typedef struct {
  const float *x;  // input pixel of the tile's first output pixel
  int64_t x_row, x_pixel;
  const int32_t *taps;
  const float *weights;
  int64_t tap_count, flush;
  int64_t width;  // floats per row of weights
  const float *ahead;   // weights needed later: one line is fetched for each lane of each tap
  const float *next_x;  // or, if not NULL, the next tile's input, fetched likewise

  float *out;
  int64_t out_block, out_row, out_pixel;
  const float *bias;  // 16 per block
  const float *residual;
  int64_t residual_block, residual_row, residual_pixel;
  const uint16_t *read;
  int64_t read_block, read_row, read_pixel;
  uint16_t *write;
  int64_t write_block, write_row, write_pixel;

  vk_function function;
  vk_backward_rule rule;
  float alpha, beta;
  bool masks_first;
} tile;

// What does not change from tile to tile of one operation.
VK_INLINE tile tile_for(const planes *p, const vk_epilogue *epilogue) {
  return (tile){
    .x_row = p->input.row,
    .x_pixel = p->input.pixel,
    .out_block = p->output.block,
    .out_row = p->output.row,
    .out_pixel = p->output.pixel,
    .residual_block = p->residual.block,
    .residual_row = p->residual.row,
    .residual_pixel = p->residual.pixel,
    .read_block = p->read.block,
    .read_row = p->read.row,
    .read_pixel = p->read.pixel,
    .write_block = p->write.block,
    .write_row = p->write.row,
    .write_pixel = p->write.pixel,
    .function = epilogue->function,
    .rule = epilogue->rule,
    .alpha = epilogue->function == VK_RELU ? 0 : epilogue->alpha,
    .beta = epilogue->function == VK_RELU ? __builtin_inff() : epilogue->beta,
    .masks_first = epilogue->masks_first != 0,
  };
}

// Points the tile at output pixel (row, pixel) of a block.
VK_INLINE void place_tile(
  tile *t, const planes *p, const float *bias, int64_t image, int64_t block, int64_t row,
  int64_t pixel) {
  t->out = plane_row(&p->output, image, block, row) + pixel * p->output.pixel;
  t->bias = bias ? bias + block * VK_LANES : no_bias;
  if (p->residual.base) {
    t->residual = plane_row(&p->residual, image, block, row) + pixel * p->residual.pixel;
  }
  if (p->read.base) t->read = bit_row(&p->read, image, block, row) + pixel * p->read.pixel;
  if (p->write.base) t->write = bit_row(&p->write, image, block, row) + pixel * p->write.pixel;
}

// Adds bias and residual, masks, writes the mask, applies the function, stores: `vk_epilogue`.
// R, Q and B are constants wherever this is inlined, so `sums` stays in registers.
VK_INLINE void finish_tile(const int R, const int Q, const int B, v16 *sums, const tile *t) {
#define EACH                                   \
  VK_UNROLL for (int b = 0; b < B; b++)        \
    VK_UNROLL for (int r = 0; r < R; r++)      \
      VK_UNROLL for (int q = 0; q < Q; q++)
#define SUM sums[(b * R + r) * Q + q]
  VK_UNROLL for (int b = 0; b < B; b++) {
    const v16 bias = load(t->bias + b * VK_LANES);
    VK_UNROLL for (int i = 0; i < R * Q; i++) sums[b * R * Q + i] += bias;
  }
#define ADD_RESIDUAL \
  EACH SUM += load(  \
    t->residual + b * t->residual_block + r * t->residual_row + q * t->residual_pixel)
  if (t->residual && !t->masks_first) {
    ADD_RESIDUAL;
  }
  if (t->read) {
    const v16 zero = (v16)(0.0f);
    if (t->rule != VK_BACKWARD_GRADIENT) {
      EACH SUM = SUM > zero ? SUM : zero;
    }
    if (t->rule != VK_BACKWARD_DECONVNET) {
      EACH SUM =
        mask_of(t->read[b * t->read_block + r * t->read_row + q * t->read_pixel]) ? SUM : zero;
    }
  }
  if (t->residual && t->masks_first) {
    ADD_RESIDUAL;
  }
  if (t->write) {
    if (t->function == VK_CLIP) {
      const v16 low = (v16)(t->alpha), high = (v16)(t->beta);
      EACH t->write[b * t->write_block + r * t->write_row + q * t->write_pixel] =
        bits_of((SUM > low) & (SUM < high));
    } else {
      EACH t->write[b * t->write_block + r * t->write_row + q * t->write_pixel] =
        bits_of(SUM > (v16)(0.0f));
    }
  }
  if (t->function == VK_RELU || t->function == VK_CLIP) {
    const v16 low = (v16)(t->alpha), high = (v16)(t->beta);
    EACH SUM = at_most(at_least(SUM, low), high);
  } else if (t->function == VK_LEAKY_RELU) {
    const v16 slope = (v16)(t->alpha);
    EACH SUM = SUM > (v16)(0.0f) ? SUM : SUM * slope;
  }
  EACH store(t->out + b * t->out_block + r * t->out_row + q * t->out_pixel, SUM);
#undef ADD_RESIDUAL
#undef EACH
#undef SUM
}
