// Cuts the same size out of one image many times, each time from another place and with something laid over it.

typedef struct {
  const vk_patch *op;
  view base, overlay, output;
  const vk_patch_place *places;
  int64_t rows;  // of all blocks of all images
  int chunks;
} patch_job;

VK_INLINE void copy_pixels(float *to, const float *from, int64_t pixels) {
  for (int64_t i = 0; i < pixels; i++) store(to + i * VK_LANES, load(from + i * VK_LANES));
}

VK_INLINE void fill_pixels(float *to, v16 value, int64_t pixels) {
  for (int64_t i = 0; i < pixels; i++) store(to + i * VK_LANES, value);
}

// The part of `begin..<begin + size` inside `0..<end`, as distances from `begin`.
VK_INLINE window_span part_inside(int64_t begin, int64_t size, int64_t end) {
  window_span part = {.begin = begin < 0 ? smaller(-begin, size) : 0};
  part.end = larger(part.begin, smaller(size, end - begin));
  return part;
}

static void patch_chunk(const void *context, int chunk) {
  const patch_job *job = context;
  const vk_patch *op = job->op;
  const v16 outside = (v16)(op->outside);
  const int64_t end = part_begin(job->rows, job->chunks, chunk + 1);
  for (int64_t i = part_begin(job->rows, job->chunks, chunk); i < end; i++) {
    const int64_t row = i % op->height, block = i / op->height % op->blocks;
    const int64_t image = i / op->height / op->blocks;
    const vk_patch_place place = job->places[image];
    float *out = plane_row(&job->output, image, block, row);
    const int64_t y = place.y + row;
    if (y < 0 || y >= op->base_height) {
      fill_pixels(out, outside, op->width);
      continue;
    }
    const window_span inside = part_inside(place.x, op->width, op->base_width);
    fill_pixels(out, outside, inside.begin);
    fill_pixels(out + inside.end * VK_LANES, outside, op->width - inside.end);
    // What the overlay covers of this row, between what it leaves of the base.
    window_span over = {.begin = inside.end, .end = inside.end};
    if (job->overlay.base && y >= place.overlay_y && y < place.overlay_y + place.overlay_height) {
      const int64_t shift = place.overlay_x - place.x;
      over.begin = larger(inside.begin, smaller(inside.end, shift));
      over.end = larger(over.begin, smaller(inside.end, shift + place.overlay_width));
      const float *from = plane_row(
        &job->overlay, image, block, y - place.overlay_y + place.source_y);
      copy_pixels(
        out + over.begin * VK_LANES, from + (over.begin - shift + place.source_x) * VK_LANES,
        over.end - over.begin);
    }
    const float *base = plane_row(&job->base, 0, block, y) + place.x * VK_LANES;
    copy_pixels(
      out + inside.begin * VK_LANES, base + inside.begin * VK_LANES, over.begin - inside.begin);
    copy_pixels(out + over.end * VK_LANES, base + over.end * VK_LANES, inside.end - over.end);
  }
}

static void run_patch(const vk_patch *op, void *const *buffers, vk_team *team) {
  if (op->images <= 0 || op->blocks <= 0 || op->height <= 0 || op->width <= 0) return;
  patch_job job = {
    .op = op,
    .base = view_of(&op->base, buffers),
    .overlay = view_of(&op->overlay, buffers),
    .output = view_of(&op->output, buffers),
    .places = (const vk_patch_place *)buffers[op->place_buffer] + op->place_offset,
    .rows = (int64_t)op->images * op->blocks * op->height,
  };
  job.chunks = vk_team_chunks(team, job.rows, 80.0 * job.rows * op->width);
  vk_team_run(team, job.chunks, patch_chunk, &job);
}
