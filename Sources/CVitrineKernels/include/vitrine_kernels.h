// Single-precision kernels on caller-owned memory. Arithmetic only: no allocation, no I/O, no errors.
//
// Layout "blocked" (NCHW16c): channels in blocks of 16, `[image][block][row][pixel][16]`, with a zero
// halo stored around each plane, and zeros in the lanes past the last channel. Because halo and
// padding lanes are real zeros, convolution needs no boundary code.
// Layout "plain": row-major, as in `Tensor`.
//
// A pass over a network is a flat list of `vk_op`, run by one call without callbacks. All summation
// orders are fixed: results do not depend on thread count, batch size, or tile shape. Instruction sets with
// fused multiply-add (all but `portable`) give the same sums bit for bit.
//
// Memory: nothing outside the named elements is read or written; halos are written by VK_FILL alone.
// Buffers, offsets in multiples of 16 floats, and weights aligned to 64 bytes are fastest; 4 bytes suffice.
// An output may be the input, `second` or `residual` of the same operation where each element is read only
// for itself (elementwise operations; a residual anywhere). Nothing else may overlap.
// Padding lanes stay zero through every operation that maps zeros to zero. VK_SIGMOID, VK_SOFTPLUS,
// VK_HARD_SIGMOID, a bias, shift or VK_CLIP bound that is not zero there, fill them; that is harmless to
// convolutions, whose weights for these lanes are zero, and to VK_UNPACK, which reads real channels only.

#ifndef VITRINE_KERNELS_H
#define VITRINE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#define VK_LANES 16

// MARK: Instruction sets

typedef enum { VK_PORTABLE = 0, VK_NEON = 1, VK_AVX2 = 2, VK_AVX512 = 3 } vk_isa;

// The widest instruction set of this machine that was compiled in. `VITRINE_ISA`
// (portable|neon|avx2|avx512) in the environment lowers it; read once; ignored if not available.
vk_isa vk_detected_isa(void);
// Whether kernels for `isa` were compiled in and this machine can run them.
int vk_isa_available(vk_isa isa);

// MARK: Memory views

// A blocked plane stack inside one of the caller's buffers. All distances in floats.
typedef struct {
  int32_t buffer;        // index into `vk_run`'s `buffers`; -1: absent
  int32_t pixel_stride;  // 16, or 16*s to visit every s-th pixel
  int64_t offset;        // of lane 0 of pixel (0, 0) of block 0 of image 0, inside the halo
  int64_t image_stride;
  int64_t block_stride;
  int64_t row_stride;    // times s to visit every s-th row
} vk_map;

// A bit mask: one uint16_t per blocked pixel, bit l = lane l. Distances in uint16_t units.
typedef struct {
  int32_t buffer;        // -1: absent
  int32_t images;        // images stored; image n of an operation uses mask image n % images
  int32_t pixel_stride;  // 1, or s to visit every s-th pixel
  int64_t offset;  // in uint16_t from the buffer's start
  int64_t image_stride, block_stride, row_stride;
} vk_mask;

// MARK: Elementwise functions

typedef enum {
  VK_IDENTITY = 0,
  VK_RELU,
  VK_CLIP,        // min(max(x, alpha), beta)
  VK_LEAKY_RELU,  // x > 0 ? x : alpha x
  VK_SIGMOID,
  VK_TANH,
  VK_ELU,          // x > 0 ? x : alpha (e^x - 1)
  VK_SOFTPLUS,     // log(1 + e^x)
  VK_HARD_SIGMOID, // clip(alpha x + beta, 0, 1)
  VK_HARD_SWISH,   // x * clip(x/6 + 1/2, 0, 1)
} vk_function;

// How a ReLU-like mask changes a cotangent g (METHODS.md).
typedef enum {
  VK_BACKWARD_GRADIENT = 0,  // mask ? g : 0
  VK_BACKWARD_GUIDED,        // mask && g > 0 ? g : 0
  VK_BACKWARD_DECONVNET,     // g > 0 ? g : 0
} vk_backward_rule;

// What is done to a result before it is stored, in this order. Absent: buffer -1; also a residual whose
// `pixel_stride` is 0 and a mask whose `images` is 0, so that an epilogue of zeros does nothing.
// NaN passes through functions; it counts as not greater than 0 in masks and rules.
typedef struct {
  const float *bias;    // 16 floats per output block, or NULL
  vk_map residual;      // added, pixel for pixel (buffer -1: none); may be the output itself
  vk_mask read_mask;    // then masked by `rule` (buffer -1: none)
  vk_mask write_mask;   // then bit = value > 0 (for VK_CLIP: alpha < value < beta) is written, before `function`
  vk_function function; // then applied; only VK_IDENTITY, VK_RELU, VK_CLIP, VK_LEAKY_RELU here
  vk_backward_rule rule;
  float alpha, beta;
  int32_t masks_first;  // 1: the residual is added after masking
} vk_epilogue;

// MARK: Operations

// A group of one or two consecutive output blocks with its own list of taps.
//   out[p][o] = sum over taps t, lanes i < tap_lanes of in[taps[t] + p + i*lane_stride] * weights[(t*tap_lanes + i)*width + o]
// with width = 16*blocks. Summed in tap order, each lane in order, as one chain of multiply-adds that
// starts from 0. `lane_stride` is 1.
typedef struct {
  const int32_t *taps;   // offsets in floats from the input pixel; taps may name any block
  const float *weights;  // 64-byte aligned
  int32_t tap_count;
  int32_t block;         // first output block
  int32_t blocks;        // 1 or 2
} vk_group;

// Convolution, its input gradient, and matrix products, over blocked input.
// Input pixel of output (y, x): input.offset + y*input.row_stride + x*input.pixel_stride.
// `tap_lanes` 16: blocked input, lanes contiguous. `tap_lanes` 1: plain input (a stem reading NCHW
// directly: pixel_stride = stride, row_stride = stride*width); such an input has a halo only if the
// caller made one.
typedef struct {
  vk_map input, output;
  const vk_group *groups;
  int32_t group_count;
  int32_t tap_lanes;
  int32_t images, height, width;  // of the output (or of one phase of it)
  int32_t flush;                  // 0: one chain of sums; else a second-level sum every `flush` taps (not lanes)
  vk_epilogue epilogue;
} vk_convolution;

// Convolution by 3 x 3 windows, one pixel apart, with the minimal filtering F(T x T, 3 x 3) of Winograd: with T = 4
// 4 times fewer multiplications, and errors about 10 times those of VK_CONVOLUTION; with T = 2 2.25 times fewer.
// Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016).
//
// `input` is at the top left pixel of the first window; height + 2 rows of width + 2 pixels are read from there.
// Every output is one fixed sequence of operations, whatever tiles are computed together.
typedef struct {
  vk_map input, output;
  const float *weights;  // by vk_pack_winograd, the groups of 32 outputs one after the other
  int32_t tile;          // T: 4 or 2
  int32_t images, input_blocks, output_blocks;
  int32_t height, width;   // of the output
  int32_t tiles_at_once;   // tiles of T x T outputs transformed together
  int32_t levels;          // outputs of equal windows side by side are made equal, as VK_CONVOLUTION's are
  int32_t splits_outputs;  // threads share transformed tiles and divide outputs, instead of dividing tiles
  int32_t scratch_buffer;
  int64_t scratch_offset;  // of vk_winograd_scratch floats, a multiple of 16
  vk_epilogue epilogue;
} vk_winograd;

// Floats of scratch memory that an operation needs when it is run on up to `threads` threads.
int64_t vk_winograd_scratch(const vk_winograd *op, int threads);

// One filter per channel: weights [block][tap][16], taps relative to the input pixel of the same block.
typedef struct {
  vk_map input, output;
  const int32_t *taps;
  const float *weights;
  int32_t tap_count;
  int32_t images, blocks, height, width;
  vk_epilogue epilogue;
} vk_depthwise;

// Depthwise convolution of stride 1 by large filters, in the frequency domain: about 200 operations per pixel and
// filter of any size, where VK_DEPTHWISE does 2 per tap. Errors are relative to the largest values of a tile.
//   forward:    out[c](y, x) = sum w[c](i, j) in[c / multiplier](y - pad_top + i, x - pad_left + j)
//   transposed: out[c](y, x) = sum over the filters f with f / multiplier = c of w[f](i, j) in[f](y + pad_top - i, x + pad_left - j)
// Pixels outside the input's planes are zero, whatever the halo holds.
typedef struct {
  vk_map input, output;
  const float *spectra;   // by vk_pack_spectra
  int32_t images;
  int32_t filters;
  int32_t multiplier;     // filters of each channel, 1...16
  int32_t transposed;
  int32_t input_height, input_width, height, width;
  int32_t kernel_y, kernel_x;  // extents of the filters, dilation included
  int32_t pad_top, pad_left;
  int32_t points_y, points_x;  // extents of a tile and its spectrum: 16, 32, 48, 64 or 96, more than the kernel's
  int32_t scratch_buffer;
  int64_t scratch_offset;      // of vk_spectral_scratch floats, a multiple of 16
  vk_epilogue epilogue;
} vk_spectral;

// Floats of scratch memory that tiles of `points_y` by `points_x` need on up to `threads` threads.
int64_t vk_spectral_scratch(int points_y, int points_x, int threads);

// Pooling windows: kernel, stride, dilation, and top/left padding, for outputs height x width. Windows are
// clipped to the input's planes, so halos are not read; a window that is empty then gives 0 and index 0xffff.
// The first NaN of a window is its maximum. At most 65535 taps where indices are kept. No epilogue.
// Backward passes write every pixel of the planes, each as one sum over its windows in row-major order.
typedef struct {
  vk_map input, output;
  int32_t images, blocks;
  int32_t input_height, input_width, height, width;
  int32_t kernel_y, kernel_x, stride_y, stride_x, dilation_y, dilation_x, pad_top, pad_left;
  int32_t count_include_pad;  // average only: divide by the window clipped to the padded input
  int32_t pad_bottom, pad_right;
  // Maximum only: index of the first maximum inside the window (row-major), one uint16_t per element,
  // `[image][block][row][pixel][16]` at `index_offset` (uint16_t units) of buffer `index_buffer` (-1: not kept).
  // Backward: image n reads the indices of image n % index_images.
  int32_t index_buffer, index_images;
  int64_t index_offset;
  // Backward only: what is done to the input's cotangents before they are stored, as in an epilogue.
  vk_mask read_mask;
  vk_backward_rule rule;
} vk_pool_window;

// Elementwise over a map, planes of height x width. All kinds end with the epilogue. A `second` with pixel
// and row strides 0 is one pixel spread over the plane. For VK_GLOBAL_AVERAGE and its backward pass too,
// height x width are the planes'; the row and pixel strides of their 1x1 side are not used.
// Functions err by at most 4 ulp; results below 2^-126 may become 0. Derivatives at a kink take the flat side.
typedef struct {
  vk_map input, second, output;  // second: other operand, or the forward *input* x for a backward; buffer -1: none
  int32_t images, blocks, height, width;
  int32_t second_images;         // image n reads second's image n % second_images
  const float *scale, *shift;    // VK_AFFINE: 16 floats per block, NULL = 1 and 0
  vk_epilogue epilogue;
  vk_function function;          // VK_UNARY and VK_UNARY_BACKWARD
  float alpha, beta;
} vk_elementwise;

// Plain <-> blocked. `plain` is `[image][channels][height][width]` at plain_offset of plain_buffer.
typedef struct {
  vk_map map;
  int32_t plain_buffer;
  int32_t images, channels, height, width;
  int64_t plain_offset, plain_image_stride;
  int32_t accumulate;  // unpack only: add to what is there
  // Unpack only: 0, or the map has one pixel for each `spread` x `spread` of the plain image, and the lane
  // (row*spread + column)*channels + channel of its blocks, at most 64 lanes. Does not accumulate.
  int32_t spread;
} vk_layout_change;

// Sets to zero: the halo of `map` (`top`, `left`, `bottom`, `right` pixels), or all of it.
typedef struct {
  vk_map map;
  int32_t images, blocks, height, width;
  int32_t top, left, bottom, right;
  int32_t interior;  // nonzero: the planes too
} vk_fill;

// C[m][n] = sum_k A[m][k] B[k][n] (+ bias[n]) (+ C), plain row-major, leading dimensions in floats; B packed
// by vk_pack_matrix: panels of 32 columns, `[ceil(n/32)][k][32]`. Summed in order of k for every m, as one chain
// that starts from 0, or from C if `accumulate`; then bias; then function. C may overlap neither A nor B.
typedef struct {
  int32_t a_buffer, c_buffer;
  int64_t a_offset, c_offset;
  int64_t lda, ldc;
  int32_t m, n, k;
  const float *packed;   // constant B, packed; or NULL: then the packed B is at b_offset of b_buffer
  int32_t b_buffer;
  int32_t accumulate;
  int64_t b_offset;
  // Nonzero: B is the transpose of what was packed, an n x k matrix, so that a pass and its pullback share
  // one copy. Each element is then sixteen chains over k, lane by lane, added in pairs; then C, then bias.
  int32_t transposed;
  const float *bias;     // n floats or NULL
  vk_function function;  // VK_IDENTITY, VK_RELU, VK_CLIP, VK_LEAKY_RELU
  float alpha, beta;
} vk_matrix_product;

// Points of a straight line: image n of the output = start + fractions[n] * direction, as one multiply-add,
// then the epilogue. `start` and `direction` are one image.
typedef struct {
  vk_map start, direction, output;
  int32_t images, blocks, height, width;
  int32_t fraction_buffer;
  int64_t fraction_offset;  // in floats; one for each image
  vk_epilogue epilogue;
} vk_line;

// Adds weights[n] * image n of `input`, image after image, to double-precision sums
// `[block][row][pixel][16]`. Images of weight 0 are left out, whatever they hold.
typedef struct {
  vk_map input;
  int32_t images, blocks, height, width;
  int32_t sum_buffer, weight_buffer;
  int64_t sum_offset, weight_offset;  // in doubles; one weight for each image
} vk_weighted_sum;

// Where a piece of a vk_patch lies, all in pixels.
typedef struct {
  int64_t y, x;                  // of its first pixel in the base; may lie outside
  int64_t overlay_y, overlay_x;  // what the overlay covers of the base
  int64_t overlay_height, overlay_width;
  int64_t source_y, source_x;    // the overlay's pixel that is laid there first
} vk_patch_place;

// Pieces of one size, image n from its own place: the overlay where it covers, else the base, else `outside`.
// All pixel strides are 16. The overlay has an image for each piece, or image stride 0, or is absent.
typedef struct {
  vk_map base, overlay, output;
  int32_t images, blocks, height, width;
  int32_t base_height, base_width;
  int32_t place_buffer;
  int64_t place_offset;  // in vk_patch_place; one for each image
  float outside;
} vk_patch;

// Row-major planes, copied into the middle of larger ones of zeros.
typedef struct {
  int32_t input_buffer, output_buffer;
  int64_t input_offset, output_offset;  // in floats
  int32_t planes, height, width;        // of the input
  int32_t top, left, bottom, right;     // zeros around each plane
} vk_surround;

typedef enum {
  VK_CONVOLUTION,
  VK_WINOGRAD,
  VK_DEPTHWISE,
  VK_SPECTRAL,
  VK_MAX_POOL,            // input -> output (+ indices)
  VK_MAX_POOL_BACKWARD,   // `output` = cotangent of the pooled values (read), `input` = cotangent of the input (written whole)
  VK_AVERAGE_POOL,
  VK_AVERAGE_POOL_BACKWARD,
  VK_ADD,                 // input + second, epilogue
  VK_MULTIPLY,            // input * second, epilogue
  VK_AFFINE,              // input * scale + shift per channel, epilogue
  VK_UNARY,               // function(input), epilogue
  VK_UNARY_BACKWARD,      // input (cotangent) * function'(second (the forward input)), epilogue
  VK_COPY,                // input, epilogue
  VK_GLOBAL_AVERAGE,      // planes height x width -> 1x1 pixel of output, epilogue (`elementwise`)
  VK_GLOBAL_AVERAGE_BACKWARD, // input 1x1 -> planes, divided by height*width, epilogue (`elementwise`)
  VK_PACK,                // plain -> map
  VK_UNPACK,              // map -> plain
  VK_FILL,
  VK_MATRIX_PRODUCT,
  VK_LINE,
  VK_WEIGHTED_SUM,
  VK_PATCH,
  VK_SURROUND,
} vk_kind;

typedef struct {
  vk_kind kind;
  union {
    vk_convolution convolution;
    vk_winograd winograd;
    vk_depthwise depthwise;
    vk_spectral spectral;
    vk_pool_window pool;
    vk_elementwise elementwise;
    vk_layout_change layout;
    vk_fill fill;
    vk_matrix_product product;
    vk_line line;
    vk_weighted_sum weighted_sum;
    vk_patch patch;
    vk_surround surround;
  } as;
} vk_op;

// Runs `ops` in order on up to `threads` threads (the caller is one of them; workers spin, then park).
// `buffers[i]` are 64-byte aligned. Concurrent callers are safe: whoever does not get the pool runs alone.
// `isa` -1, or one that is not available, uses vk_detected_isa(). `threads` < 2 never touches the pool.
void vk_run(const vk_op *ops, size_t count, void *const *buffers, int threads, int isa);

// The same, and adds the time of each operation to `seconds`, `count` numbers; NULL: not timed.
void vk_run_timed(
  const vk_op *ops, size_t count, void *const *buffers, int threads, int isa, double *seconds);

// MARK: Packing of constants (once per network; callers may pack different groups at the same time)

// Weights of one vk_group: for each tap t (tap_source[t] = offset in floats of that tap's (input lane 0, output 0)
// element in `source`, tap_inputs[t] = how many of its lanes exist), lane i, output lane o < outputs:
//   packed[(t*tap_lanes + i)*width + o] = source[tap_source[t] + i*input_stride + o*output_stride] * (scale ? scale[o] : 1),
// zero where i >= tap_inputs[t] or o >= outputs.
void vk_pack_group(float *packed, const float *source, const int64_t *tap_source, const int32_t *tap_inputs,
                   size_t tap_count, size_t tap_lanes, int64_t input_stride, int64_t output_stride,
                   size_t outputs, size_t width, const float *scale);

// The filters of a vk_spectral, `[filters][kernel_y][kernel_x]` at `source`, as `[ceil(filters / 16)]` spectra of
// points_y * (points_x / 2 + 1) * 32 floats.
void vk_pack_spectra(float *packed, const float *source, size_t filters, int kernel_y, int kernel_x,
                     int dilation_y, int dilation_x, int points_y, int points_x);

// Transformed weights of up to 32 outputs of a vk_winograd, `[(tile + 2)^2][16 * input_blocks][width]`, width 16 or 32: tap
// (y, x) of input i for output o is source[i*input_stride + o*output_stride + tap], where tap = 3 y + x, or
// 8 - 3 y - x if `rotated`. Computed in double precision; zero where there is no input or output.
void vk_pack_winograd(float *packed, const float *source, size_t inputs, size_t outputs, size_t width,
                      int64_t input_stride, int64_t output_stride, int rotated, int tile);

// Packs B (element (k, n) at b[k*k_stride + n*n_stride]) into `[ceil(n/32)][k][32]`, zero-padded.
void vk_pack_matrix(float *packed, const float *b, size_t k, size_t n, int64_t k_stride, int64_t n_stride);

// One piece of constants to pack.
typedef enum {
  VK_PACK_WINDOWS,   // a vk_group over blocked input: tap `taps[t]` of input i for output o is
                     // source[i*input_stride + o*output_stride + taps[t]]; `[16 inputs][tap][16][width]`
  VK_PACK_WINOGRAD,  // by vk_pack_winograd
  VK_PACK_MATRIX,    // by vk_pack_matrix, `inputs` by `outputs`
} vk_packing_kind;

typedef struct {
  vk_packing_kind kind;
  int32_t rotated, tile;  // of a vk_winograd
  float *packed;
  const float *source;
  const int32_t *taps;
  int32_t tap_count, kernel;  // `kernel`: taps that lie side by side in `source`
  int64_t inputs, outputs, width;
  int64_t input_stride, output_stride;
} vk_packing;

// Packs all pieces on up to `threads` threads.
void vk_pack(const vk_packing *pieces, size_t count, int threads);

// MARK: Threads

// Number of usable cores (cgroup quota and affinity respected).
int vk_hardware_threads(void);

// MARK: Measuring

// Single-precision multiply-add throughput in FLOP/s of `threads` threads, over about `seconds`.
double vk_measure_peak(int threads, double seconds);

// Bytes read per second by `threads` threads, each of which reads its share of `count` floats over and over for
// about `seconds`: the bandwidth of the smallest cache that holds the share, or of memory.
double vk_measure_bandwidth(const float *memory, size_t count, int threads, double seconds);

#endif
