// Matrix product by packed B: every element is one chain of multiply-adds over k, in order. Long chains
// pass through C between pieces of k, which rounds nothing.

enum {
  panel_columns = 32,
  piece_length = 384,               // k per piece when rows of A are copied
  copy_stride = piece_length + 16,  // not a power of two: rows must not share cache sets
  tiles_at_once = 28 / VK_PIXELS,   // tiles of A that pass by one panel: 45 KiB of stack
  most_direct_rows = 4,             // rows of A read in place
  most_panel_halves = 8,            // of B in one tile
  prefetch_rows = 32,               // of B ahead
  product_sums = 16 > VK_PIXELS * VK_BLOCKS ? 16 : VK_PIXELS * VK_BLOCKS,
};

typedef struct {
  const float *a;
  int64_t a_row, length;
  const float *panel;
  int64_t panel_stride;
  float *c;
  int64_t c_row, columns;  // columns of C from here to its right edge
  const float *bias;       // from here
  bool starts_from_c, last;
  vk_function function;
  float alpha, beta;
} product_tile;

VK_INLINE v16 load_columns(const float *p, int64_t count) {
  return count >= VK_LANES ? load(p) : count > 0 ? load_part(p, (int)count) : (v16)(0.0f);
}

// P rows by N panels, of each panel B halves of 16 columns. S: distance of rows of A, 0 if only known
// at run time.
VK_INLINE void multiply_tile(
  const int P, const int N, const int B, const int S, const product_tile *t) {
#define SUM sums[(n * B + b) * P + p]
#define EACH                              \
  VK_UNROLL for (int n = 0; n < N; n++)   \
    VK_UNROLL for (int b = 0; b < B; b++) \
      VK_UNROLL for (int p = 0; p < P; p++)
#define COLUMN (n * panel_columns + b * VK_LANES)
  v16 sums[product_sums];
  if (t->starts_from_c) {
    EACH SUM = load_columns(t->c + p * t->c_row + COLUMN, t->columns - COLUMN);
  } else {
    EACH SUM = (v16)(0.0f);
  }
  const int64_t a_row = S ? S : t->a_row, length = t->length, panel_stride = t->panel_stride;
  const float *a = t->a, *panel = t->panel;
#pragma clang loop unroll_count(4)
  for (int64_t k = 0; k < length; k++) {
    v16 w[most_panel_halves];
    VK_UNROLL for (int n = 0; n < N; n++) {
      VK_UNROLL for (int b = 0; b < B; b++) {
        w[n * B + b] = load(panel + n * panel_stride + b * VK_LANES);
      }
    }
    // With many rows there is time between lines of B; the hardware's own prefetch stops at pages.
    // 118 -> 147 GF/s for 16 x 4096 x 4096; slower for few rows.
    if (S != 0) {
      VK_UNROLL for (int b = 0; b < B; b++) {
        __builtin_prefetch(panel + prefetch_rows * panel_columns + b * VK_LANES);
      }
    }
    VK_UNROLL for (int p = 0; p < P; p++) {
      const v16 value = (v16)(a[p * a_row]);
      VK_UNROLL for (int i = 0; i < N * B; i++) {
        sums[i * P + p] = multiply_add(value, w[i], sums[i * P + p]);
      }
    }
    a++;
    panel += panel_columns;
  }
  if (t->last) {
    if (t->bias) {
      EACH SUM += load_columns(t->bias + COLUMN, t->columns - COLUMN);
    }
    if (t->function == VK_RELU || t->function == VK_CLIP) {
      const v16 low = (v16)(t->alpha), high = (v16)(t->beta);
      EACH SUM = at_most(at_least(SUM, low), high);
    } else if (t->function == VK_LEAKY_RELU) {
      const v16 slope = (v16)(t->alpha);
      EACH SUM = SUM > (v16)(0.0f) ? SUM : SUM * slope;
    }
  }
  if (t->columns >= (N - 1) * panel_columns + B * VK_LANES) {
    EACH store(t->c + p * t->c_row + COLUMN, SUM);
  } else {
    EACH {
      const int64_t left = t->columns - COLUMN;
      float *c = t->c + p * t->c_row + COLUMN;
      if (left >= VK_LANES) {
        store(c, SUM);
      } else if (left > 0) {
        store_part(c, SUM, (int)left);
      }
    }
  }
#undef SUM
#undef EACH
#undef COLUMN
}

typedef void (*product_function)(const product_tile *);

// VK_PRODUCT_LIST(TILE): all heights, one panel (or half of one) wide.
// VK_WIDE_PRODUCT_LIST(TILE): TILE(P, N), low tiles over N panels, for few rows.
#define DEFINE_PRODUCT(P)                                                                        \
  static void product_copied_##P(const product_tile *t) {                                        \
    multiply_tile(P, 1, VK_BLOCKS, copy_stride, t);                                              \
  }
#define LIST_PRODUCT(P) [P - 1] = product_copied_##P,
#define DEFINE_WIDE_PRODUCT(P, N)                                                                \
  static void product_direct_##P(const product_tile *t) {                                        \
    multiply_tile(P, 1, VK_BLOCKS, 0, t);                                                        \
  }                                                                                              \
  static void product_wide_##P(const product_tile *t) { multiply_tile(P, N, 2, 0, t); }
#define LIST_DIRECT_PRODUCT(P, N) [P - 1] = product_direct_##P,
#define LIST_WIDE_PRODUCT(P, N) [P - 1] = product_wide_##P,
#define LIST_WIDE_PANELS(P, N) [P - 1] = N,

VK_PRODUCT_LIST(DEFINE_PRODUCT)
VK_WIDE_PRODUCT_LIST(DEFINE_WIDE_PRODUCT)

static const product_function copied_products[VK_PIXELS] = {VK_PRODUCT_LIST(LIST_PRODUCT)};
static const product_function direct_products[most_direct_rows] = {
  VK_WIDE_PRODUCT_LIST(LIST_DIRECT_PRODUCT)};
static const product_function wide_products[most_direct_rows] = {
  VK_WIDE_PRODUCT_LIST(LIST_WIDE_PRODUCT)};
static const int wide_panels[most_direct_rows] = {VK_WIDE_PRODUCT_LIST(LIST_WIDE_PANELS)};

typedef struct {
  const vk_matrix_product *op;
  const float *a, *b;
  float *c;
  int64_t row_tiles, panels;
  int64_t row_chunks, panel_chunks;
  float low, high;
} product_job;

// Multiplies one tile by panels `panel` and after; returns how many panels that were.
static int64_t multiply_panel(
  const product_job *job, product_tile *t, int64_t rows, bool direct, int64_t row, int64_t k,
  int64_t panel, int64_t panel_end) {
  const vk_matrix_product *op = job->op;
  const int64_t column = panel * panel_columns;
  t->panel = job->b + panel * t->panel_stride + k * panel_columns;
  t->c = job->c + row * op->ldc + column;
  t->columns = op->n - column;
  t->bias = op->bias ? op->bias + column : NULL;
  const int wide = direct ? wide_panels[rows - 1] : 0;
  if (wide > 0 && panel_end - panel >= wide) {
    wide_products[rows - 1](t);
    return wide;
  }
  const product_function multiply = direct ? direct_products[rows - 1] : copied_products[rows - 1];
  multiply(t);
  if (VK_BLOCKS == 1 && t->columns > VK_LANES) {
    t->panel += VK_LANES;
    t->c += VK_LANES;
    t->columns -= VK_LANES;
    if (t->bias) t->bias += VK_LANES;
    multiply(t);
  }
  return 1;
}

// A few tiles of A are copied to where their rows do not collide, then every panel of B passes by them.
static void product_chunk(const void *context, int chunk) {
  const product_job *job = context;
  const vk_matrix_product *op = job->op;
  const int64_t row_chunk = chunk % job->row_chunks, panel_chunk = chunk / job->row_chunks;
  const int64_t first_tile = part_begin(job->row_tiles, job->row_chunks, row_chunk);
  const int64_t last_tile = part_begin(job->row_tiles, job->row_chunks, row_chunk + 1);
  const int64_t first_panel = part_begin(job->panels, job->panel_chunks, panel_chunk);
  const int64_t last_panel = part_begin(job->panels, job->panel_chunks, panel_chunk + 1);
  // One tile of few rows: A is read in place, and B streams past once, in long runs.
  const bool direct =
    job->row_tiles == 1 && op->m <= most_direct_rows && direct_products[op->m - 1];
  const int64_t piece = direct ? larger(op->k, 1) : piece_length;
  const even_parts heights = even_parts_of(op->m, job->row_tiles);
  _Alignas(64) float copies[tiles_at_once * VK_PIXELS * copy_stride];
  product_tile t = {
    .panel_stride = (int64_t)op->k * panel_columns,
    .c_row = op->ldc,
    .function = op->function,
    .alpha = job->low,
    .beta = job->high,
  };
  for (int64_t tiles_begin = first_tile; tiles_begin < last_tile; tiles_begin += tiles_at_once) {
    const int64_t tiles_end = smaller(tiles_begin + tiles_at_once, last_tile);
    const int64_t first_row = begin_of(heights, tiles_begin);
    int64_t k = 0;
    do {
      t.length = smaller(piece, op->k - k);
      t.starts_from_c = k > 0 || op->accumulate;
      t.last = k + t.length >= op->k;
      const float *a = job->a + first_row * op->lda + k;
      t.a_row = op->lda;
      if (!direct) {
        const int64_t rows = begin_of(heights, tiles_end) - first_row;
        for (int64_t i = 0; i < rows; i++) {
          memcpy(copies + i * copy_stride, a + i * op->lda, (size_t)t.length * sizeof(float));
        }
        a = copies;
        t.a_row = copy_stride;
      }
      for (int64_t panel = first_panel; panel < last_panel;) {
        int64_t done = 1;
        for (int64_t tile = tiles_begin; tile < tiles_end; tile++) {
          const int64_t row = begin_of(heights, tile);
          t.a = a + (row - first_row) * t.a_row;
          done = multiply_panel(
            job, &t, size_of(heights, tile), direct, row, k, panel, last_panel);
        }
        panel += done;
      }
      k += piece;
    } while (k < op->k);
  }
}

// MARK: Transposed

enum { transposed_rows = 16, panels_ahead = 6 };

typedef struct {
  const vk_matrix_product *op;
  const float *a, *b;
  float *c;
  int64_t parts, chunks;  // sixteen columns of C each
  float low, high;
} transposed_job;

// Sixteen columns of C for each of its rows: sixteen rows of every panel, which stay in the second-level
// cache for the rows of A after the first.
static void multiply_transposed(const transposed_job *job, int64_t column) {
  const vk_matrix_product *op = job->op;
  const int64_t panels = divide_up(op->k, panel_columns), stride = (int64_t)op->n * panel_columns;
  const int count = (int)smaller(transposed_rows, op->n - column);
  for (int64_t row = 0; row < op->m; row++) {
    const float *a = job->a + row * op->lda;
    v16 sums[transposed_rows];
    VK_UNROLL for (int r = 0; r < transposed_rows; r++) sums[r] = (v16)(0.0f);
    for (int64_t panel = 0; panel < panels; panel++) {
      const float *b = job->b + panel * stride + column * panel_columns;
      const int64_t left = op->k - panel * panel_columns;
      const v16 low = load_columns(a + panel * panel_columns, left);
      const v16 high = load_columns(a + panel * panel_columns + VK_LANES, left - VK_LANES);
      if (count == transposed_rows) {
        VK_UNROLL for (int r = 0; r < transposed_rows; r++) {
          if (row == 0) {
            fetch_ahead(b + panels_ahead * stride + r * panel_columns);
            fetch_ahead(b + panels_ahead * stride + r * panel_columns + VK_LANES);
          }
          sums[r] = multiply_add(low, load(b + r * panel_columns), sums[r]);
          sums[r] = multiply_add(high, load(b + r * panel_columns + VK_LANES), sums[r]);
        }
      } else {
        for (int r = 0; r < count; r++) {
          sums[r] = multiply_add(low, load(b + r * panel_columns), sums[r]);
          sums[r] = multiply_add(high, load(b + r * panel_columns + VK_LANES), sums[r]);
        }
      }
    }
    transpose(sums);
    VK_UNROLL for (int half = VK_LANES / 2; half > 0; half /= 2) {
      VK_UNROLL for (int i = 0; i < half; i++) sums[i] += sums[i + half];
    }
    float *c = job->c + row * op->ldc + column;
    v16 sum = sums[0];
    if (op->accumulate) sum += load_columns(c, count);
    if (op->bias) sum += load_columns(op->bias + column, count);
    if (op->function == VK_RELU || op->function == VK_CLIP) {
      sum = at_most(at_least(sum, (v16)(job->low)), (v16)(job->high));
    } else if (op->function == VK_LEAKY_RELU) {
      sum = sum > (v16)(0.0f) ? sum : sum * (v16)(op->alpha);
    }
    store_part(c, sum, count);
  }
}

static void transposed_chunk(const void *context, int chunk) {
  const transposed_job *job = context;
  const int64_t end = part_begin(job->parts, job->chunks, chunk + 1);
  for (int64_t part = part_begin(job->parts, job->chunks, chunk); part < end; part++) {
    multiply_transposed(job, part * transposed_rows);
  }
}

static void run_transposed(const vk_matrix_product *op, const product_job *product, vk_team *team) {
  transposed_job job = {
    .op = op,
    .a = product->a,
    .b = product->b,
    .c = product->c,
    .parts = divide_up(op->n, transposed_rows),
    .low = product->low,
    .high = product->high,
  };
  const double rows = op->m < 6 ? 6 : op->m;
  job.chunks = vk_team_chunks(team, job.parts, 2.0 * rows * op->n * op->k);
  vk_team_run(team, (int)job.chunks, transposed_chunk, &job);
}

static void run_product(const vk_matrix_product *op, void *const *buffers, vk_team *team) {
  if (op->m <= 0 || op->n <= 0 || op->k < 0) return;
  const bool relu = op->function == VK_RELU;
  product_job job = {
    .op = op,
    .a = (const float *)buffers[op->a_buffer] + op->a_offset,
    .b = op->packed ? op->packed : (const float *)buffers[op->b_buffer] + op->b_offset,
    .c = (float *)buffers[op->c_buffer] + op->c_offset,
    .row_tiles = divide_up(op->m, VK_PIXELS),
    .panels = divide_up(op->n, panel_columns),
    .low = relu ? 0 : op->alpha,
    .high = relu ? __builtin_inff() : op->beta,
  };
  if (op->transposed) {
    run_transposed(op, &job, team);
    return;
  }
  // Few rows cost the time to read B, not the arithmetic.
  const double rows = op->m < 6 ? 6 : op->m;
  const int chunks = vk_team_chunks(
    team, smaller(job.row_tiles * job.panels, 1 << 20), 2.0 * rows * op->n * op->k);
  job.panel_chunks = smaller(chunks, divide_up(job.panels, 2));
  job.row_chunks = smaller(job.row_tiles, divide_up(chunks, job.panel_chunks));
  vk_team_run(team, (int)(job.row_chunks * job.panel_chunks), product_chunk, &job);
}
