// Constants into the order in which the kernels read them.

// out[j * out_stride + i] = in[i * in_stride + j], both 16 by 16
VK_INLINE void transpose_block(
  float *out, int64_t out_stride, const float *in, int64_t in_stride) {
  v16 rows[VK_LANES];
  for (int i = 0; i < VK_LANES; i++) rows[i] = load(in + i * in_stride);
  transpose(rows);
  for (int i = 0; i < VK_LANES; i++) store(out + i * out_stride, rows[i]);
}

// out[i * width + o] = in[i * input_stride + o * output_stride] for i < inputs, o < outputs
static void gather_weights(
  float *out, size_t width, const float *in, int64_t input_stride, int64_t output_stride,
  size_t inputs, size_t outputs) {
  if (output_stride == 1) {
    for (size_t i = 0; i < inputs; i++) {
      memcpy(out + i * width, in + (int64_t)i * input_stride, outputs * sizeof(float));
    }
    return;
  }
  size_t done = 0;
  if (input_stride == 1 && inputs == VK_LANES) {
    for (; done + VK_LANES <= outputs; done += VK_LANES) {
      transpose_block(out + done, (int64_t)width, in + (int64_t)done * output_stride, output_stride);
    }
  }
  for (size_t o = done; o < outputs; o++) {
    const float *row = in + (int64_t)o * output_stride;
    for (size_t i = 0; i < inputs; i++) out[i * width + o] = row[(int64_t)i * input_stride];
  }
}

static void pack_group(
  float *packed, const float *source, const int64_t *tap_source, const int32_t *tap_inputs,
  size_t tap_count, size_t tap_lanes, int64_t input_stride, int64_t output_stride, size_t outputs,
  size_t width, const float *scale) {
  for (size_t t = 0; t < tap_count; t++) {
    float *out = packed + t * tap_lanes * width;
    const size_t inputs = tap_inputs[t] < 0                     ? 0
                          : (size_t)tap_inputs[t] < tap_lanes ? (size_t)tap_inputs[t]
                                                                : tap_lanes;
    if (inputs < tap_lanes || outputs < width) memset(out, 0, tap_lanes * width * sizeof(float));
    gather_weights(
      out, width, source + tap_source[t], input_stride, output_stride, inputs, outputs);
    if (scale == NULL) continue;
    for (size_t i = 0; i < inputs; i++) {
      for (size_t o = 0; o < outputs; o++) out[i * width + o] *= scale[o];
    }
  }
}

static void pack_matrix(
  float *packed, const float *b, size_t k, size_t n, int64_t k_stride, int64_t n_stride) {
  for (size_t column = 0; column < n; column += panel_columns) {
    const size_t columns = n - column < panel_columns ? n - column : panel_columns;
    for (size_t row = 0; row < k; row += VK_LANES) {
      const size_t rows = k - row < VK_LANES ? k - row : VK_LANES;
      if (columns < panel_columns) memset(packed, 0, rows * panel_columns * sizeof(float));
      gather_weights(
        packed, panel_columns, b + (int64_t)row * k_stride + (int64_t)column * n_stride, k_stride,
        n_stride, rows, columns);
      packed += rows * panel_columns;
    }
  }
}

// Weights of one group, all taps of an input and sixteen outputs transposed together.
static void pack_windows(const vk_packing *p) {
  const int64_t taps = p->tap_count, width = p->width;
  if (p->inputs % VK_LANES != 0 || p->outputs < width) {
    memset(
      p->packed, 0,
      (size_t)(divide_up(p->inputs, VK_LANES) * taps * VK_LANES * width) * sizeof(float));
  }
  if (p->kernel == 1 && p->input_stride == 1) {
    for (int64_t i = 0; i < p->inputs; i += VK_LANES) {
      gather_weights(
        p->packed + i * width, (size_t)width, p->source + i, 1, p->output_stride,
        (size_t)smaller(VK_LANES, p->inputs - i), (size_t)p->outputs);
    }
    return;
  }
  for (int64_t i = 0; i < p->inputs; i++) {
    float *out = p->packed + (i / VK_LANES * taps * VK_LANES + i % VK_LANES) * width;
    for (int64_t first = 0; first < p->outputs; first += VK_LANES) {
      const int64_t count = smaller(VK_LANES, p->outputs - first);
      const float *source = p->source + i * p->input_stride + first * p->output_stride;
      if (p->kernel == 1 && p->output_stride == 1) {
        memcpy(out + first, source, (size_t)count * sizeof(float));
        continue;
      }
      for (int64_t begin = 0; begin < p->kernel; begin += VK_LANES) {
        const int length = (int)smaller(VK_LANES, p->kernel - begin);
        v16 rows[VK_LANES];
        for (int64_t o = 0; o < VK_LANES; o++) {
          rows[o] =
            o < count ? load_part(source + o * p->output_stride + begin, length) : (v16)(0.0f);
        }
        transpose(rows);
        for (int64_t t = 0; t < taps; t++) {
          const int64_t tap = p->taps[t] - begin;
          if (tap < 0 || tap >= length) continue;
          store_part(out + t * VK_LANES * width + first, rows[tap], (int)count);
        }
      }
    }
  }
}

static void pack_piece(const vk_packing *p) {
  switch (p->kind) {
    case VK_PACK_WINDOWS: pack_windows(p); break;
    case VK_PACK_WINOGRAD:
      pack_winograd(
        p->packed, p->source, (size_t)p->inputs, (size_t)p->outputs, (size_t)p->width,
        p->input_stride, p->output_stride, p->rotated, p->tile);
      break;
    case VK_PACK_MATRIX:
      pack_matrix(
        p->packed, p->source, (size_t)p->inputs, (size_t)p->outputs, p->input_stride,
        p->output_stride);
      break;
  }
}
