// One table of kernels per instruction set.

#ifndef VITRINE_KERNEL_TABLE_H
#define VITRINE_KERNEL_TABLE_H

#include "include/vitrine_kernels.h"
#include "include/vitrine_training.h"
#include "team.h"

typedef struct {
  void (*convolution)(const vk_convolution *, void *const *buffers, vk_team *);
  void (*winograd)(const vk_winograd *, void *const *buffers, vk_team *);
  int64_t (*winograd_scratch)(const vk_winograd *, int threads);
  void (*depthwise)(const vk_depthwise *, void *const *buffers, vk_team *);
  void (*spectral)(const vk_spectral *, void *const *buffers, vk_team *);
  void (*pool)(vk_kind, const vk_pool_window *, void *const *buffers, vk_team *);
  void (*elementwise)(vk_kind, const vk_elementwise *, void *const *buffers, vk_team *);
  void (*global_average)(const vk_elementwise *, void *const *buffers, vk_team *);
  void (*layout)(vk_kind, const vk_layout_change *, void *const *buffers, vk_team *);
  void (*fill)(const vk_fill *, void *const *buffers, vk_team *);
  void (*product)(const vk_matrix_product *, void *const *buffers, vk_team *);
  void (*line)(const vk_line *, void *const *buffers, vk_team *);
  void (*weighted_sum)(const vk_weighted_sum *, void *const *buffers, vk_team *);
  void (*patch)(const vk_patch *, void *const *buffers, vk_team *);
  void (*surround)(const vk_surround *, void *const *buffers, vk_team *);
  void (*pack_group)(
    float *packed, const float *source, const int64_t *tap_source, const int32_t *tap_inputs,
    size_t tap_count, size_t tap_lanes, int64_t input_stride, int64_t output_stride, size_t outputs,
    size_t width, const float *scale);
  void (*pack)(const vk_packing *);
  void (*pack_winograd)(
    float *packed, const float *source, size_t inputs, size_t outputs, size_t width,
    int64_t input_stride, int64_t output_stride, int rotated, int tile);
  void (*pack_matrix)(
    float *packed, const float *b, size_t k, size_t n, int64_t k_stride, int64_t n_stride);
  void (*pack_spectra)(
    float *packed, const float *source, size_t filters, int kernel_y, int kernel_x, int dilation_y,
    int dilation_x, int points_y, int points_x);
  // Floating-point operations done in `rounds` rounds of independent multiply-adds.
  double (*burn)(int64_t rounds);
  // Reads `count` floats `passes` times, `count` a multiple of 128; their sum is of no use.
  float (*stream)(const float *memory, size_t count, int64_t passes);
  void (*train)(const vk_train_op *, void *const *buffers, vk_team *);
  int64_t (*prepare_train)(vk_train_op *);
} vk_kernels;

extern const vk_kernels vk_kernels_portable;
#if defined(__x86_64__)
extern const vk_kernels vk_kernels_avx2;
extern const vk_kernels vk_kernels_avx512;
#elif defined(__aarch64__)
extern const vk_kernels vk_kernels_neon;
#endif

// The kernels of `isa`; of the detected instruction set if `isa` is -1 or not available.
const vk_kernels *vk_kernels_for(int isa);

// Cosine and sine of 2 pi a b / (outer * inner) for each b < inner, and each a from 1 to outer - 1.
const float *vk_roots(int outer, int inner);

#endif
