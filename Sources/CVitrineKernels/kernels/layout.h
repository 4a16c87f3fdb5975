// Plain to blocked and back, sixteen pixels of sixteen channels at a time; and zero halos.

typedef struct {
  vk_kind kind;
  const vk_layout_change *op;
  planes planes;  // `output` is the map
  float *plain;
  int64_t blocks, rows;
  int chunks;
} layout_job;

// `channels` rows of `pixels` floats, `channel_stride` apart -> `pixels` pixels.
VK_INLINE void pack_strip(
  float *out, int64_t out_pixel, const float *plain, int64_t channel_stride, int channels,
  int pixels) {
  v16 rows[VK_LANES];
  if (channel_stride == 1 && pixels == 1) {
    store(out, channels == VK_LANES ? load(plain) : load_part(plain, channels));
    return;
  }
  for (int c = 0; c < VK_LANES; c++) {
    const float *source = plain + c * channel_stride;
    rows[c] = c >= channels        ? (v16)(0.0f)
              : pixels == VK_LANES ? load(source)
                                   : load_part(source, pixels);
  }
  transpose(rows);
  for (int i = 0; i < pixels; i++) store(out + i * out_pixel, rows[i]);
}

VK_INLINE void unpack_strip(
  float *plain, int64_t channel_stride, const float *in, int64_t in_pixel, int channels, int pixels,
  bool accumulate) {
  v16 rows[VK_LANES];
  for (int i = 0; i < VK_LANES; i++) rows[i] = i < pixels ? load(in + i * in_pixel) : (v16)(0.0f);
  int length = pixels;
  if (channel_stride == 1 && pixels == 1) {
    length = channels;
    channels = 1;
  } else {
    transpose(rows);
  }
  for (int c = 0; c < channels; c++) {
    float *target = plain + c * channel_stride;
    if (accumulate) {
      rows[c] += length == VK_LANES ? load(target) : load_part(target, length);
    }
    if (length == VK_LANES) {
      store(target, rows[c]);
    } else {
      store_part(target, rows[c], length);
    }
  }
}

static void layout_chunk(const void *context, int chunk) {
  const layout_job *job = context;
  const vk_layout_change *op = job->op;
  const planes *p = &job->planes;
  const int64_t channel_stride = (int64_t)op->height * op->width, pixel = p->output.pixel;
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const int64_t y = i % p->height, block = i / p->height % job->blocks;
    const int64_t image = i / p->height / job->blocks;
    const int channels = (int)smaller(VK_LANES, op->channels - block * VK_LANES);
    float *plain = job->plain + image * op->plain_image_stride
                   + block * VK_LANES * channel_stride + y * p->width;
    float *blocked = plane_row(&p->output, image, block, y);
    for (int64_t x = 0; x < p->width; x += VK_LANES) {
      const int pixels = (int)smaller(VK_LANES, p->width - x);
      if (job->kind == VK_PACK) {
        pack_strip(blocked + x * pixel, pixel, plain + x, channel_stride, channels, pixels);
      } else {
        unpack_strip(
          plain + x, channel_stride, blocked + x * pixel, pixel, channels, pixels,
          op->accumulate != 0);
      }
    }
  }
}

enum { most_spread_blocks = 4 };

// One row of the map becomes `spread` rows of each channel.
static void spread_chunk(const void *context, int chunk) {
  const layout_job *job = context;
  const vk_layout_change *op = job->op;
  const planes *p = &job->planes;
  const int spread = op->spread;
  float pixels[most_spread_blocks * VK_LANES][VK_LANES];  // by lane
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const int64_t image = i / p->height, y = i % p->height;
    float *plain = job->plain + image * op->plain_image_stride;
    for (int64_t x = 0; x < p->width; x += VK_LANES) {
      const int64_t count = smaller(VK_LANES, p->width - x);
      for (int64_t block = 0; block < job->blocks; block++) {
        const float *in = plane_row(&p->output, image, block, y) + x * p->output.pixel;
        v16 rows[VK_LANES];
        for (int j = 0; j < VK_LANES; j++) {
          rows[j] = j < count ? load(in + j * p->output.pixel) : (v16)(0.0f);
        }
        transpose(rows);
        for (int j = 0; j < VK_LANES; j++) store(pixels[block * VK_LANES + j], rows[j]);
      }
      for (int dy = 0; dy < spread && y * spread + dy < op->height; dy++) {
        for (int dx = 0; dx < spread; dx++) {
          const int64_t columns =
            smaller(count, divide_up(op->width - dx, spread) - x);
          for (int c = 0; c < op->channels; c++) {
            const float *lane = pixels[(dy * spread + dx) * op->channels + c];
            float *target = plain + (c * (int64_t)op->height + y * spread + dy) * op->width
                            + x * spread + dx;
            for (int64_t j = 0; j < columns; j++) target[j * spread] = lane[j];
          }
        }
      }
    }
  }
}

static void run_spread(const vk_layout_change *op, layout_job *job, vk_team *team) {
  job->planes.height = (int32_t)divide_up(op->height, op->spread);
  job->planes.width = (int32_t)divide_up(op->width, op->spread);
  job->blocks = divide_up((int64_t)op->channels * op->spread * op->spread, VK_LANES);
  if (job->blocks > most_spread_blocks) return;
  job->rows = (int64_t)op->images * job->planes.height;
  job->chunks = vk_team_chunks(team, job->rows, 400.0 * job->rows * job->planes.width);
  vk_team_run(team, job->chunks, spread_chunk, job);
}

static void run_layout(
  vk_kind kind, const vk_layout_change *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->channels <= 0 || op->height <= 0 || op->width <= 0) return;
  layout_job job = {
    .kind = kind,
    .op = op,
    .planes =
      {
        .output = view_of(&op->map, buffers),
        .images = op->images,
        .height = op->height,
        .width = op->width,
      },
    .plain = (float *)buffers[op->plain_buffer] + op->plain_offset,
    .blocks = divide_up(op->channels, VK_LANES),
  };
  if (op->spread > 0) {
    run_spread(op, &job, team);
    return;
  }
  planes *p = &job.planes;
  join_rows(p);
  rows_to_pixels(p);
  job.rows = p->images * job.blocks * p->height;
  job.chunks = vk_team_chunks(team, job.rows, 200.0 * job.rows * p->width);
  vk_team_run(team, job.chunks, layout_chunk, &job);
}

// MARK: Zeros

typedef struct {
  const vk_fill *op;
  view map;
  int64_t planes;
  int chunks;
} fill_job;

VK_INLINE void clear_pixels(float *first, int64_t pixel, int64_t count) {
  if (pixel == VK_LANES) {
    memset(first, 0, (size_t)count * VK_LANES * sizeof(float));
  } else {
    for (int64_t i = 0; i < count; i++) store(first + i * pixel, (v16)(0.0f));
  }
}

static void fill_chunk(const void *context, int chunk) {
  const fill_job *job = context;
  const vk_fill *op = job->op;
  const int64_t pixel = job->map.pixel;
  const int64_t end = part_begin(job->planes, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->planes, job->chunks, chunk); i < end; i++) {
    float *plane = plane_row(&job->map, i / op->blocks, i % op->blocks, 0);
    for (int64_t y = -(int64_t)op->top; y < (int64_t)op->height + op->bottom; y++) {
      float *row = plane + y * job->map.row;
      if (op->interior || y < 0 || y >= op->height) {
        clear_pixels(row - op->left * pixel, pixel, (int64_t)op->left + op->width + op->right);
      } else {
        clear_pixels(row - op->left * pixel, pixel, op->left);
        clear_pixels(row + op->width * pixel, pixel, op->right);
      }
    }
  }
}

static void run_fill(const vk_fill *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->blocks <= 0) return;
  fill_job job = {
    .op = op,
    .map = view_of(&op->map, buffers),
    .planes = (int64_t)op->images * op->blocks,
  };
  const double across = (double)op->left + op->right + (op->interior ? op->width : 0);
  const double down = (double)op->top + op->bottom;
  const double pixels = across * (op->height + down) + (op->interior ? 0 : down * op->width);
  job.chunks = vk_team_chunks(team, job.planes, 60.0 * job.planes * pixels);
  vk_team_run(team, job.chunks, fill_chunk, &job);
}

typedef struct {
  const vk_surround *op;
  const float *input;
  float *output;
  int64_t rows;  // of all larger planes
  int chunks;
} surround_job;

static void surround_chunk(const void *context, int chunk) {
  const surround_job *job = context;
  const vk_surround *op = job->op;
  const int64_t height = (int64_t)op->top + op->height + op->bottom;
  const int64_t width = (int64_t)op->left + op->width + op->right;
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const int64_t plane = i / height, y = i % height - op->top;
    float *out = job->output + i * width;
    if (y < 0 || y >= op->height) {
      memset(out, 0, (size_t)width * sizeof(float));
      continue;
    }
    memset(out, 0, (size_t)op->left * sizeof(float));
    memcpy(
      out + op->left, job->input + (plane * op->height + y) * op->width,
      (size_t)op->width * sizeof(float));
    memset(out + op->left + op->width, 0, (size_t)op->right * sizeof(float));
  }
}

static void run_surround(const vk_surround *op, void *const *buffers, vk_team *team) {
  if (op->planes <= 0 || op->height <= 0 || op->width <= 0) return;
  const int64_t height = (int64_t)op->top + op->height + op->bottom;
  surround_job job = {
    .op = op,
    .input = (const float *)buffers[op->input_buffer] + op->input_offset,
    .output = (float *)buffers[op->output_buffer] + op->output_offset,
    .rows = op->planes * height,
  };
  job.chunks = vk_team_chunks(team, job.rows, 4.0 * job.rows * op->width);
  vk_team_run(team, job.chunks, surround_chunk, &job);
}
