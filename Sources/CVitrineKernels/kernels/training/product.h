// Products of matrices whose operands both change, their transposition, and sums of rows.

typedef struct {
  const vk_train_product *op;
  const float *a, *b, *bias;
  float *c;
  int64_t row_parts, column_parts, column_tiles;
} train_product_job;

static void train_product_chunk(const void *context, int chunk) {
  const train_product_job *job = context;
  const vk_train_product *op = job->op;
  const int64_t width = VK_BLOCKS * VK_LANES;
  const int64_t row_part = chunk % job->row_parts, column_part = chunk / job->row_parts;
  const int64_t row = part_begin(op->m, job->row_parts, row_part);
  const int64_t row_end = part_begin(op->m, job->row_parts, row_part + 1);
  const int64_t column = part_begin(job->column_tiles, job->column_parts, column_part) * width;
  const int64_t column_end = smaller(
    op->n, part_begin(job->column_tiles, job->column_parts, column_part + 1) * width);
  float *c = job->c + row * op->c_row + column;
  train_multiply(&(train_matrices){
    .a = job->a + row * op->a_row,
    .a_row = op->a_row,
    .a_step = op->a_step,
    .b = job->b + column,
    .b_step = op->b_step,
    .c = c,
    .c_row = op->c_row,
    .m = row_end - row,
    .n = column_end - column,
    .k = op->k,
  });
  if (!job->bias && op->function == VK_IDENTITY) return;
  const bool is_relu = op->function == VK_RELU;
  for (int64_t i = row; i < row_end; i++, c += op->c_row) {
    for (int64_t j = 0; j < column_end - column; j += VK_LANES) {
      v16 value = load(c + j);
      if (job->bias) value += load(job->bias + column + j);
      if (is_relu) value = at_least(value, (v16)(0.0f));
      store_first(c + j, value, column_end - column - j);
    }
  }
}

static void run_train_product(
  const vk_train_product *op, void *const *buffers, vk_team *team) {
  if (op->m <= 0 || op->n <= 0) return;
  train_product_job job = {
    .op = op,
    .a = place_in(op->a, buffers),
    .b = place_in(op->b, buffers),
    .bias = place_in(op->bias, buffers),
    .c = place_in(op->c, buffers),
    .column_tiles = divide_up(op->n, VK_BLOCKS * VK_LANES),
  };
  const int64_t row_tiles = divide_up(op->m, VK_PIXELS);
  const int chunks = vk_team_chunks(
    team, smaller(row_tiles * job.column_tiles, 1 << 14), 2.0 * op->m * op->n * larger(op->k, 1));
  // Columns first: every part reads all of A, but only its own columns of B.
  job.column_parts = smaller(chunks, job.column_tiles);
  job.row_parts = smaller(row_tiles, divide_up(chunks, job.column_parts));
  vk_team_run(team, (int)(job.row_parts * job.column_parts), train_product_chunk, &job);
}

// MARK: Transposition

typedef struct {
  const vk_train_transpose *op;
  const float *input;
  float *output;
  int chunks;
} train_transpose_job;

static void train_transpose_chunk(const void *context, int chunk) {
  const train_transpose_job *job = context;
  const int64_t rows = job->op->rows, columns = job->op->columns, to_row = job->op->output_row;
  const int64_t tiles = divide_up(columns, VK_LANES);
  const int64_t end = part_begin(tiles, job->chunks, chunk + 1) * VK_LANES;
  for (int64_t j = part_begin(tiles, job->chunks, chunk) * VK_LANES; j < end; j += VK_LANES) {
    const int64_t here = smaller(VK_LANES, columns - j);
    for (int64_t i = 0; i < rows; i += VK_LANES) {
      v16 r[VK_LANES];
      for (int64_t k = 0; k < VK_LANES; k++) {
        r[k] = i + k < rows ? load(job->input + (i + k) * columns + j) : (v16)(0.0f);
      }
      transpose(r);
      for (int64_t k = 0; k < here; k++) {
        store_first(job->output + (j + k) * to_row + i, r[k], rows - i);
      }
    }
  }
}

static void run_train_transpose(
  const vk_train_transpose *op, void *const *buffers, vk_team *team) {
  train_transpose_job job = {
    .op = op, .input = place_in(op->input, buffers), .output = place_in(op->output, buffers)};
  const int64_t tiles = divide_up(op->columns, VK_LANES);
  job.chunks = vk_team_chunks(team, smaller(tiles, 1 << 14), (double)op->rows * op->columns * 2);
  vk_team_run(team, job.chunks, train_transpose_chunk, &job);
}

// MARK: Sums of rows

static void run_train_sum(const vk_train_sum *op, void *const *buffers) {
  const float *input = place_in(op->input, buffers);
  float *output = place_in(op->output, buffers);
  for (int64_t j = 0; j < op->columns; j += VK_LANES) {
    v16 sum = (v16)(0.0f);
    for (int64_t i = 0; i < op->rows; i++) sum += load(input + i * op->columns + j);
    store_first(output + j, sum, op->columns - j);
  }
}
