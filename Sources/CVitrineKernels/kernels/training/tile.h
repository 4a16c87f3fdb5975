// The tile that training multiplies with: P rows of A, broadcast element by element, by B vectors of columns.

typedef struct {
  const float *a;
  int64_t a_row, a_step;
  const float *b;
  int64_t b_step;
  float *c;
  int64_t c_row;
  int64_t length;
  int64_t columns;  // that are stored, from the first of the tile on
  bool starts_from_c;
} train_tile;

// Stores the first `count` lanes.
VK_INLINE void store_first(float *p, v16 v, int64_t count) {
  if (count >= VK_LANES) {
    store(p, v);
    return;
  }
  float lanes[VK_LANES];
  memcpy(lanes, &v, sizeof lanes);
  int64_t i = 0;
  if (count & 8) {
    memcpy(p, lanes, 8 * sizeof(float));
    i = 8;
  }
  if (count & 4) {
    memcpy(p + i, lanes + i, 4 * sizeof(float));
    i += 4;
  }
  for (; i < count; i++) p[i] = lanes[i];
}

VK_INLINE void train_multiply_tile(const int P, const int B, const train_tile *t) {
#define SUM sums[b * P + p]
#define EACH                            \
  VK_UNROLL for (int b = 0; b < B; b++) \
    VK_UNROLL for (int p = 0; p < P; p++)
  v16 sums[VK_PIXELS * 2];
  if (t->starts_from_c) {
    // What is past the last column is not stored again.
    EACH SUM = load(t->c + p * t->c_row + b * VK_LANES);
  } else {
    EACH SUM = (v16)(0.0f);
  }
  const float *a = t->a, *b_row = t->b;
  const int64_t a_row = t->a_row, a_step = t->a_step, b_step = t->b_step;
  for (int64_t k = t->length; k > 0; k--) {
    v16 w[B];
    VK_UNROLL for (int b = 0; b < B; b++) w[b] = load(b_row + b * VK_LANES);
    VK_UNROLL for (int p = 0; p < P; p++) {
      const v16 value = (v16)(a[p * a_row]);
      VK_UNROLL for (int b = 0; b < B; b++) SUM = multiply_add(value, w[b], SUM);
    }
    a += a_step;
    b_row += b_step;
  }
  if (t->columns >= B * VK_LANES) {
    EACH store(t->c + p * t->c_row + b * VK_LANES, SUM);
  } else {
    EACH {
      if (t->columns > b * VK_LANES) {
        store_first(t->c + p * t->c_row + b * VK_LANES, SUM, t->columns - b * VK_LANES);
      }
    }
  }
#undef SUM
#undef EACH
}

typedef void (*train_tile_function)(const train_tile *);

#define DEFINE_TRAIN_TILE(P)                                                              \
  static void train_tile_##P(const train_tile *t) { train_multiply_tile(P, VK_BLOCKS, t); } \
  static void train_narrow_tile_##P(const train_tile *t) { train_multiply_tile(P, 1, t); }
#define LIST_TRAIN_TILE(P) [P - 1] = train_tile_##P,
#define LIST_NARROW_TRAIN_TILE(P) [P - 1] = train_narrow_tile_##P,

VK_PRODUCT_LIST(DEFINE_TRAIN_TILE)

static const train_tile_function train_tiles[VK_PIXELS] = {VK_PRODUCT_LIST(LIST_TRAIN_TILE)};
static const train_tile_function narrow_train_tiles[VK_PIXELS] = {
  VK_PRODUCT_LIST(LIST_NARROW_TRAIN_TILE)};

// A product of matrices in memory; `n` columns are stored.
typedef struct {
  const float *a;
  int64_t a_row, a_step;
  const float *b;
  int64_t b_step;
  float *c;
  int64_t c_row;
  int64_t m, n, k;
  bool adds;
} train_matrices;

static void train_multiply(const train_matrices *x) {
  const int64_t row_tiles = divide_up(x->m, VK_PIXELS);
  const even_parts heights = even_parts_of(x->m, row_tiles);
  train_tile t = {
    .a_row = x->a_row,
    .a_step = x->a_step,
    .b_step = x->b_step,
    .c_row = x->c_row,
    .length = x->k,
    .starts_from_c = x->adds,
  };
  for (int64_t column = 0; column < x->n;) {
    t.b = x->b + column;
    t.columns = x->n - column;
    const bool is_narrow = VK_BLOCKS == 1 || t.columns <= VK_LANES;
    const train_tile_function *tiles = is_narrow ? narrow_train_tiles : train_tiles;
    for (int64_t tile = 0; tile < row_tiles; tile++) {
      const int64_t row = begin_of(heights, tile);
      t.a = x->a + row * x->a_row;
      t.c = x->c + row * x->c_row + column;
      tiles[size_of(heights, tile) - 1](&t);
    }
    column += is_narrow ? VK_LANES : VK_BLOCKS * VK_LANES;
  }
}

VK_INLINE float *place_in(vk_place place, void *const *buffers) {
  return place.buffer < 0 ? NULL : (float *)buffers[place.buffer] + place.offset;
}

VK_INLINE float sum_of_lanes(v16 v) {
  float lanes[VK_LANES];
  memcpy(lanes, &v, sizeof lanes);
  for (int half = VK_LANES / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}
