#include "include/vitrine_kernels.h"
#include "kernels.h"
#include "team.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// MARK: Instruction sets

int vk_isa_available(vk_isa isa) {
  switch (isa) {
    case VK_PORTABLE: return 1;
#if defined(__x86_64__)
    case VK_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case VK_AVX512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
             && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")
             && __builtin_cpu_supports("fma");
#elif defined(__aarch64__)
    case VK_NEON: return 1;
#endif
    default: return 0;
  }
}

static vk_isa detected;
static pthread_once_t detection = PTHREAD_ONCE_INIT;

static void detect(void) {
  static const struct {
    const char *name;
    vk_isa isa;
  } choices[] = {
    {"avx512", VK_AVX512}, {"avx2", VK_AVX2}, {"neon", VK_NEON}, {"portable", VK_PORTABLE}};
  const char *wish = getenv("VITRINE_ISA");
  vk_isa best = VK_PORTABLE;
  for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
    if (!vk_isa_available(choices[i].isa)) continue;
    if (best == VK_PORTABLE) best = choices[i].isa;
    if (wish != NULL && strcmp(wish, choices[i].name) == 0) {
      best = choices[i].isa;
      break;
    }
  }
  detected = best;
}

vk_isa vk_detected_isa(void) {
  pthread_once(&detection, detect);
  return detected;
}

const vk_kernels *vk_kernels_for(int isa) {
  const vk_isa chosen =
    isa >= 0 && vk_isa_available((vk_isa)isa) ? (vk_isa)isa : vk_detected_isa();
  switch (chosen) {
#if defined(__x86_64__)
    case VK_AVX512: return &vk_kernels_avx512;
    case VK_AVX2: return &vk_kernels_avx2;
#elif defined(__aarch64__)
    case VK_NEON: return &vk_kernels_neon;
#endif
    default: return &vk_kernels_portable;
  }
}

// MARK: Running

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void vk_run(const vk_op *ops, size_t count, void *const *buffers, int threads, int isa) {
  vk_run_timed(ops, count, buffers, threads, isa, NULL);
}

void vk_run_timed(
  const vk_op *ops, size_t count, void *const *buffers, int threads, int isa, double *seconds) {
  const vk_kernels *kernels = vk_kernels_for(isa);
  vk_team team = vk_team_make(threads);
  for (size_t i = 0; i < count; i++) {
    const vk_op *op = &ops[i];
    const double start = seconds != NULL ? now() : 0;
    switch (op->kind) {
      case VK_CONVOLUTION: kernels->convolution(&op->as.convolution, buffers, &team); break;
      case VK_WINOGRAD: kernels->winograd(&op->as.winograd, buffers, &team); break;
      case VK_DEPTHWISE: kernels->depthwise(&op->as.depthwise, buffers, &team); break;
      case VK_SPECTRAL: kernels->spectral(&op->as.spectral, buffers, &team); break;
      case VK_MAX_POOL:
      case VK_MAX_POOL_BACKWARD:
      case VK_AVERAGE_POOL:
      case VK_AVERAGE_POOL_BACKWARD:
        kernels->pool(op->kind, &op->as.pool, buffers, &team);
        break;
      case VK_ADD:
      case VK_MULTIPLY:
      case VK_AFFINE:
      case VK_UNARY:
      case VK_UNARY_BACKWARD:
      case VK_COPY:
      case VK_GLOBAL_AVERAGE_BACKWARD:
        kernels->elementwise(op->kind, &op->as.elementwise, buffers, &team);
        break;
      case VK_GLOBAL_AVERAGE: kernels->global_average(&op->as.elementwise, buffers, &team); break;
      case VK_PACK:
      case VK_UNPACK: kernels->layout(op->kind, &op->as.layout, buffers, &team); break;
      case VK_FILL: kernels->fill(&op->as.fill, buffers, &team); break;
      case VK_MATRIX_PRODUCT: kernels->product(&op->as.product, buffers, &team); break;
      case VK_LINE: kernels->line(&op->as.line, buffers, &team); break;
      case VK_WEIGHTED_SUM: kernels->weighted_sum(&op->as.weighted_sum, buffers, &team); break;
      case VK_PATCH: kernels->patch(&op->as.patch, buffers, &team); break;
      case VK_SURROUND: kernels->surround(&op->as.surround, buffers, &team); break;
    }
    if (seconds != NULL) seconds[i] += now() - start;
  }
  vk_team_end(&team);
}

int64_t vk_winograd_scratch(const vk_winograd *op, int threads) {
  return vk_kernels_for(-1)->winograd_scratch(op, threads);
}

// MARK: Packing

void vk_pack_group(
  float *packed, const float *source, const int64_t *tap_source, const int32_t *tap_inputs,
  size_t tap_count, size_t tap_lanes, int64_t input_stride, int64_t output_stride, size_t outputs,
  size_t width, const float *scale) {
  vk_kernels_for(-1)->pack_group(
    packed, source, tap_source, tap_inputs, tap_count, tap_lanes, input_stride, output_stride,
    outputs, width, scale);
}

typedef struct {
  const vk_packing *pieces;
  const vk_kernels *kernels;
} packing_job;

static void pack_chunk(const void *context, int chunk) {
  const packing_job *job = context;
  job->kernels->pack(&job->pieces[chunk]);
}

void vk_pack(const vk_packing *pieces, size_t count, int threads) {
  vk_team team = vk_team_make(threads);
  const packing_job job = {.pieces = pieces, .kernels = vk_kernels_for(-1)};
  vk_team_run(&team, (int)count, pack_chunk, &job);
  vk_team_end(&team);
}

void vk_pack_winograd(
  float *packed, const float *source, size_t inputs, size_t outputs, size_t width,
  int64_t input_stride, int64_t output_stride, int rotated, int tile) {
  vk_kernels_for(-1)->pack_winograd(
    packed, source, inputs, outputs, width, input_stride, output_stride, rotated, tile);
}

void vk_pack_matrix(
  float *packed, const float *b, size_t k, size_t n, int64_t k_stride, int64_t n_stride) {
  vk_kernels_for(-1)->pack_matrix(packed, b, k, n, k_stride, n_stride);
}

void vk_pack_spectra(
  float *packed, const float *source, size_t filters, int kernel_y, int kernel_x, int dilation_y,
  int dilation_x, int points_y, int points_x) {
  vk_kernels_for(-1)->pack_spectra(
    packed, source, filters, kernel_y, kernel_x, dilation_y, dilation_x, points_y, points_x);
}

int64_t vk_spectral_scratch(int points_y, int points_x, int threads) {
  // Two spectra for each thread; see `spectral_column_stride`.
  const int64_t column = (2 * (int64_t)points_y + 1) * VK_LANES;
  return 2 * column * (points_x / 2 + 1) * (threads < 1 ? 1 : threads);
}
