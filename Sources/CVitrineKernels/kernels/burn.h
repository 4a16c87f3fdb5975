// Independent multiply-adds in registers: the machine's peak.

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
