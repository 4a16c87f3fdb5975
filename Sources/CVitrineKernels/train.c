#include "kernels.h"

int64_t vk_train_prepare(vk_train_op *op) { return vk_kernels_for(-1)->prepare_train(op); }

void vk_train_run(
  const vk_train_op *ops, size_t count, void *const *buffers, int threads, int isa) {
  const vk_kernels *kernels = vk_kernels_for(isa);
  vk_team team = vk_team_make(threads);
  for (size_t i = 0; i < count; i++) kernels->train(&ops[i], buffers, &team);
  vk_team_end(&team);
}
