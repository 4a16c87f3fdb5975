// Every kernel, for the instruction set whose parameters the includer has defined.

#include "../include/vitrine_kernels.h"
#include "../kernels.h"
#include "vector.h"

#include "view.h"

#include "tile.h"

#include "convolution.h"
#include "repeats.h"
#include "winograd.h"
#include "depthwise.h"
#include "functions.h"
#include "elementwise.h"
#include "averaging.h"
#include "fourier.h"
#include "spectral.h"
#include "layout.h"
#include "pooling.h"
#include "patch.h"
#include "product.h"
#include "packing.h"
#include "burn.h"

#include "training/all.h"

#define VK_TABLE                          \
  {                                       \
    .convolution = run_convolution,       \
    .winograd = run_winograd,             \
    .winograd_scratch = winograd_scratch, \
    .depthwise = run_depthwise,           \
    .spectral = run_spectral,             \
    .pool = run_pool,                     \
    .elementwise = run_elementwise,       \
    .global_average = run_global_average, \
    .layout = run_layout,                 \
    .fill = run_fill,                     \
    .product = run_product,               \
    .line = run_line,                     \
    .weighted_sum = run_weighted_sum,     \
    .patch = run_patch,                   \
    .surround = run_surround,             \
    .pack_group = pack_group,             \
    .pack = pack_piece,                   \
    .pack_winograd = pack_winograd,       \
    .pack_matrix = pack_matrix,           \
    .pack_spectra = pack_spectra,         \
    .burn = burn,                         \
    .stream = stream,                     \
    .train = run_train,                   \
    .prepare_train = prepare_train,       \
  }
