// Independent multiply-adds in registers: the machine's peak; and loads that nothing waits for: its bandwidth.

static double burn(int64_t rounds) {
  v16 sums[VK_BURN_CHAINS];
  VK_UNROLL for (int i = 0; i < VK_BURN_CHAINS; i++) sums[i] = (v16)(1.0f + (float)i);
  v16 factor = (v16)(0.999999f), term = (v16)(1e-6f);
  for (int64_t round = 0; round < rounds; round++) {
    VK_UNROLL for (int i = 0; i < VK_BURN_CHAINS; i++) {
      sums[i] = multiply_add(sums[i], factor, term);
    }
  }
  v16 total = sums[0];
  VK_UNROLL for (int i = 1; i < VK_BURN_CHAINS; i++) total += sums[i];
  // Never true; keeps the sums alive.
  if (total[0] == 12345) return 0;
  return 2.0 * VK_LANES * VK_BURN_CHAINS * (double)rounds;
}

static float stream(const float *memory, size_t count, int64_t passes) {
  v16 sums[8];
  VK_UNROLL for (int i = 0; i < 8; i++) sums[i] = (v16)(0.0f);
  for (int64_t pass = 0; pass < passes; pass++) {
    for (size_t at = 0; at < count; at += 8 * VK_LANES) {
      VK_UNROLL for (int i = 0; i < 8; i++) sums[i] += load(memory + at + i * VK_LANES);
    }
  }
  VK_UNROLL for (int i = 1; i < 8; i++) sums[0] += sums[i];
  return sums[0][0];
}
