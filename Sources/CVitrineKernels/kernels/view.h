// Memory views with their base address resolved, and the shape of the planes they share.

typedef struct {
  float *base;  // NULL: absent
  int64_t image, block, row, pixel;
} view;

typedef struct {
  uint16_t *base;  // NULL: absent
  int64_t image, block, row, pixel;
  int32_t images;
} bit_view;

// What an operation reads and writes pixel for pixel.
typedef struct {
  view input, second, output, residual;
  bit_view read, write;
  int32_t images, height, width;
} planes;

VK_INLINE view view_of(const vk_map *map, void *const *buffers) {
  if (map->buffer < 0) return (view){0};
  return (view){
    .base = (float *)buffers[map->buffer] + map->offset,
    .image = map->image_stride,
    .block = map->block_stride,
    .row = map->row_stride,
    .pixel = map->pixel_stride,
  };
}

VK_INLINE bit_view bit_view_of(const vk_mask *mask, void *const *buffers) {
  if (mask->buffer < 0 || mask->images <= 0) return (bit_view){0};
  return (bit_view){
    .base = (uint16_t *)buffers[mask->buffer] + mask->offset,
    .image = mask->image_stride,
    .block = mask->block_stride,
    .row = mask->row_stride,
    .pixel = mask->pixel_stride,
    .images = mask->images,
  };
}

VK_INLINE planes planes_of(
  const vk_map *input, const vk_map *output, const vk_epilogue *epilogue, void *const *buffers,
  int32_t images, int32_t height, int32_t width) {
  planes p = {
    .input = view_of(input, buffers),
    .output = view_of(output, buffers),
    .residual = view_of(&epilogue->residual, buffers),
    .read = bit_view_of(&epilogue->read_mask, buffers),
    .write = bit_view_of(&epilogue->write_mask, buffers),
    .images = images,
    .height = height,
    .width = width,
  };
  // An epilogue of zeros has no residual.
  if (epilogue->residual.pixel_stride == 0) p.residual.base = NULL;
  return p;
}

// MARK: Joining dimensions

VK_INLINE bool rows_join(int64_t row, int64_t pixel, int32_t width) {
  return row == pixel * width;
}

// Makes one long row of each plane if its rows follow each other without a halo.
static void join_rows(planes *p) {
  if (p->height == 1) return;
  const int32_t width = p->width;
  if (!rows_join(p->input.row, p->input.pixel, width)) return;
  if (!rows_join(p->output.row, p->output.pixel, width)) return;
  if (p->second.base && !rows_join(p->second.row, p->second.pixel, width)) return;
  if (p->residual.base && !rows_join(p->residual.row, p->residual.pixel, width)) return;
  if (p->read.base && !rows_join(p->read.row, p->read.pixel, width)) return;
  if (p->write.base && !rows_join(p->write.row, p->write.pixel, width)) return;
  p->width *= p->height;
  p->height = 1;
}

// Turns a plane of one column into one row.
static void rows_to_pixels(planes *p) {
  if (p->width != 1 || p->height == 1) return;
  p->input.pixel = p->input.row;
  p->second.pixel = p->second.row;
  p->output.pixel = p->output.row;
  p->residual.pixel = p->residual.row;
  p->read.pixel = p->read.row;
  p->write.pixel = p->write.row;
  p->width = p->height;
  p->height = 1;
}

// Turns images of one row into the rows of one image. For operations without a second operand.
static void images_to_rows(planes *p) {
  if (p->height != 1 || p->images == 1) return;
  if (p->read.base && p->read.images < p->images) return;
  if (p->write.base && p->write.images < p->images) return;
  p->input.row = p->input.image;
  p->output.row = p->output.image;
  p->residual.row = p->residual.image;
  p->read.row = p->read.image;
  p->write.row = p->write.image;
  p->height = p->images;
  p->images = 1;
}

// MARK: Addresses

VK_INLINE float *plane_row(const view *v, int64_t image, int64_t block, int64_t row) {
  return v->base + image * v->image + block * v->block + row * v->row;
}

VK_INLINE uint16_t *bit_row(const bit_view *v, int64_t image, int64_t block, int64_t row) {
  return v->base + (image % v->images) * v->image + block * v->block + row * v->row;
}
