// Element by element, in whole vectors: what follows the last element may be written.

typedef struct {
  vk_train_kind kind;
  const vk_train_elements *op;
  const float *input, *second;
  float *output;
  int chunks;
} train_elements_job;

#define EACH_TRAIN_FUNCTION(CASE)                                                         \
  CASE(VK_IDENTITY) CASE(VK_RELU) CASE(VK_CLIP) CASE(VK_LEAKY_RELU) CASE(VK_SIGMOID)      \
  CASE(VK_TANH) CASE(VK_ELU) CASE(VK_SOFTPLUS) CASE(VK_HARD_SIGMOID) CASE(VK_HARD_SWISH)

static void train_elements_chunk(const void *context, int chunk) {
  const train_elements_job *job = context;
  const vk_train_elements *op = job->op;
  const int64_t vectors = divide_up(op->count, VK_LANES);
  const int64_t begin = part_begin(vectors, job->chunks, chunk) * VK_LANES;
  const int64_t end = part_begin(vectors, job->chunks, chunk + 1) * VK_LANES;
  const float *x = job->input, *y = job->second;
  float *to = job->output;
#define FOR_VECTORS for (int64_t i = begin; i < end; i += VK_LANES)
  switch (job->kind) {
    case VK_TRAIN_ADD: FOR_VECTORS store(to + i, load(x + i) + load(y + i)); break;
    case VK_TRAIN_MULTIPLY: FOR_VECTORS store(to + i, load(x + i) * load(y + i)); break;
    case VK_TRAIN_UNARY:
      switch (op->function) {
#define CASE(f)                                                                      \
  case f:                                                                            \
    FOR_VECTORS store(to + i, apply_function(f, load(x + i), op->alpha, op->beta));  \
    break;
        EACH_TRAIN_FUNCTION(CASE)
#undef CASE
      }
      break;
    default:
      switch (op->function) {
#define CASE(f)                                                                       \
  case f:                                                                             \
    FOR_VECTORS store(                                                                \
      to + i, apply_derivative(f, load(x + i), load(y + i), op->alpha, op->beta));    \
    break;
        EACH_TRAIN_FUNCTION(CASE)
#undef CASE
      }
      break;
  }
#undef FOR_VECTORS
}

#undef EACH_TRAIN_FUNCTION

static void run_train_elements(
  vk_train_kind kind, const vk_train_elements *op, void *const *buffers, vk_team *team) {
  train_elements_job job = {
    .kind = kind,
    .op = op,
    .input = place_in(op->input, buffers),
    .second = place_in(op->second, buffers),
    .output = place_in(op->output, buffers),
  };
  const int64_t vectors = divide_up(op->count, VK_LANES);
  job.chunks = vk_team_chunks(team, smaller(vectors, 1 << 14), 4.0 * (double)op->count);
  vk_team_run(team, job.chunks, train_elements_chunk, &job);
}
