#include "kernels.h"

#include <math.h>
#include <pthread.h>
#include <stddef.h>

// Tables for every product of two of these factors.
static const int factors[] = {4, 8, 12};
enum { factor_count = 3, most_roots = 2 * 11 * 12 };

static float tables[factor_count][factor_count][most_roots];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void compute(void) {
  const double turn = 6.283185307179586477;
  for (int i = 0; i < factor_count; i++) {
    for (int j = 0; j < factor_count; j++) {
      const int outer = factors[i], inner = factors[j];
      float *root = tables[i][j];
      for (int b = 0; b < inner; b++) {
        for (int a = 1; a < outer; a++) {
          const double angle = turn * a * b / (outer * inner);
          *root++ = (float)cos(angle);
          *root++ = (float)sin(angle);
        }
      }
    }
  }
}

const float *vk_roots(int outer, int inner) {
  pthread_once(&once, compute);
  for (int i = 0; i < factor_count; i++) {
    for (int j = 0; j < factor_count; j++) {
      if (factors[i] == outer && factors[j] == inner) return tables[i][j];
    }
  }
  return NULL;
}
