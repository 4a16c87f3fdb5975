// Single-precision kernels of training, on plain row-major tensors in the caller's buffers: the weights
// change with every step, so nothing is packed ahead. Arithmetic only, as in vitrine_kernels.h.
//
// Memory: every place begins at a multiple of 16 floats and is followed by at least 64 floats that may be
// read, and is rounded up to 16 floats that may be written. Unless said otherwise inputs and outputs do not
// overlap. All summation orders depend on shapes alone, never on the number of threads.

#ifndef VITRINE_TRAINING_H
#define VITRINE_TRAINING_H

#include "vitrine_kernels.h"

// Somewhere in one of the caller's buffers; `offset` in floats.
typedef struct {
  int32_t buffer;  // index into the buffers; -1: absent
  int64_t offset;
} vk_place;

// A window that slides over planes; channels are those of all groups together.
typedef struct {
  int32_t images, groups, input_channels, output_channels;
  int32_t input_height, input_width, height, width;
  int32_t kernel_y, kernel_x, stride_y, stride_x, dilation_y, dilation_x;
  int32_t pad_top, pad_left, pad_bottom, pad_right;
} vk_sliding_window;

// Convolution of `input` [image][channel][y][x] with `weight` [output][channel / groups][y][x] to `output`.
typedef struct {
  vk_sliding_window window;
  vk_place input, weight, bias, output;  // bias: may be absent
  vk_function function;  // forward only: VK_IDENTITY or VK_RELU
  vk_place scratch;
  // Set by vk_train_prepare.
  int32_t chunks, block_rows;
  int64_t chunk_floats;
} vk_train_convolution;

// c[i][j] = sum over k of a[i * a_row + k * a_step] * b[k * b_step + j] (+ bias[j]), summed in order of k as one
// chain of multiply-adds that starts from 0; then the function. Rows of c are `c_row` apart.
typedef struct {
  vk_place a, b, c, bias;  // bias: may be absent
  int64_t a_row, a_step, b_step, c_row;
  int32_t m, n, k;
  vk_function function;  // VK_IDENTITY or VK_RELU
} vk_train_product;

// output[j * output_row + i] = input[i * columns + j]
typedef struct {
  vk_place input, output;
  int32_t rows, columns;
  int64_t output_row;
} vk_train_transpose;

// output[j] = sum over i of input[i * columns + j], in order of i
typedef struct {
  vk_place input, output;
  int32_t rows, columns;
} vk_train_sum;

// Pooling of planes [image][channel]; `indices` keeps for each output the place of its maximum in the window,
// one uint16_t each, rows rounded up to 16.
typedef struct {
  vk_sliding_window window;
  vk_place input, output, indices;  // indices: of maxima only
  int32_t count_include_pad;        // of averages only
} vk_train_pool;

// Element by element; `count` may be rounded up to whole vectors.
typedef struct {
  vk_place input, second, output;  // output may be one of the inputs
  int64_t count;
  vk_function function;
  float alpha, beta;
} vk_train_elements;

// Batch normalisation of planes of `plane` elements, [image][channel][plane]: y = scale (x - mean) /
// sqrt(variance + epsilon) + bias. Statistics are summed in double precision, plane by plane.
typedef struct {
  int32_t images, channels;
  int64_t plane;
  float epsilon;
  vk_place input, scale, bias, output;
  vk_place mean, variance;  // forward: written; backward: read
  // Backward: `output` is the cotangent of y; each may be absent.
  vk_place input_cotangent, scale_cotangent, bias_cotangent;
} vk_train_normalization;

typedef enum {
  VK_TRAIN_CONVOLUTION,         // reads input, weight, bias; writes output
  VK_TRAIN_CONVOLUTION_INPUT,   // reads weight and output (its cotangent); writes the cotangent input
  VK_TRAIN_CONVOLUTION_WEIGHT,  // reads input and output (its cotangent); writes the cotangents weight, bias
  VK_TRAIN_PRODUCT,
  VK_TRAIN_TRANSPOSE,
  VK_TRAIN_SUM_ROWS,
  VK_TRAIN_MAX_POOL,
  VK_TRAIN_MAX_POOL_BACKWARD,  // reads output (its cotangent) and indices; writes the cotangent input
  VK_TRAIN_AVERAGE_POOL,
  VK_TRAIN_AVERAGE_POOL_BACKWARD,
  VK_TRAIN_UNARY,           // output = function(input)
  VK_TRAIN_UNARY_BACKWARD,  // output = input (a cotangent) * function'(second); VK_RELU: second may be f(x), too
  VK_TRAIN_ADD,             // output = input + second
  VK_TRAIN_MULTIPLY,        // output = input * second
  VK_TRAIN_NORMALIZE,
  VK_TRAIN_NORMALIZE_BACKWARD,
} vk_train_kind;

typedef struct {
  vk_train_kind kind;
  union {
    vk_train_convolution convolution;
    vk_train_product product;
    vk_train_transpose transpose;
    vk_train_sum sum;
    vk_train_pool pool;
    vk_train_elements elements;
    vk_train_normalization normalization;
  } as;
} vk_train_op;

// Chooses how an operation is cut into parts; returns the floats it needs at its scratch place.
int64_t vk_train_prepare(vk_train_op *op);

// Runs `ops` in order on up to `threads` threads; see vk_run.
void vk_train_run(
  const vk_train_op *ops, size_t count, void *const *buffers, int threads, int isa);

#endif
