// The kernels of training.

#include "tile.h"

#include "columns.h"
#include "convolution.h"
#include "elements.h"
#include "normalization.h"
#include "pooling.h"
#include "product.h"

static void run_train(const vk_train_op *op, void *const *buffers, vk_team *team) {
  switch (op->kind) {
    case VK_TRAIN_CONVOLUTION:
    case VK_TRAIN_CONVOLUTION_INPUT:
    case VK_TRAIN_CONVOLUTION_WEIGHT:
      run_train_convolution(op->kind, &op->as.convolution, buffers, team);
      break;
    case VK_TRAIN_PRODUCT: run_train_product(&op->as.product, buffers, team); break;
    case VK_TRAIN_TRANSPOSE: run_train_transpose(&op->as.transpose, buffers, team); break;
    case VK_TRAIN_SUM_ROWS: run_train_sum(&op->as.sum, buffers); break;
    case VK_TRAIN_MAX_POOL:
    case VK_TRAIN_MAX_POOL_BACKWARD:
    case VK_TRAIN_AVERAGE_POOL:
    case VK_TRAIN_AVERAGE_POOL_BACKWARD:
      run_train_pool(op->kind, &op->as.pool, buffers, team);
      break;
    case VK_TRAIN_UNARY:
    case VK_TRAIN_UNARY_BACKWARD:
    case VK_TRAIN_ADD:
    case VK_TRAIN_MULTIPLY:
      run_train_elements(op->kind, &op->as.elements, buffers, team);
      break;
    case VK_TRAIN_NORMALIZE:
    case VK_TRAIN_NORMALIZE_BACKWARD:
      run_train_normalization(op->kind, &op->as.normalization, buffers, team);
      break;
  }
}

static int64_t prepare_train(vk_train_op *op) {
  switch (op->kind) {
    case VK_TRAIN_CONVOLUTION:
    case VK_TRAIN_CONVOLUTION_INPUT:
    case VK_TRAIN_CONVOLUTION_WEIGHT:
      return prepare_train_convolution(op->kind, &op->as.convolution);
    default: return 0;
  }
}
