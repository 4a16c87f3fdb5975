// Discrete Fourier transforms of 16 channels side by side: a point is one vector of real and one of imaginary
// parts. A length is a product A * B of short transforms ("four-step"): A transforms of stride B, a rotation by
// roots of unity, then B neighbours. The result lies in the order of `frequency_at`; `from_spectrum` starts
// from there. The inverse transform is the forward one with real and imaginary parts exchanged.

// MARK: Short transforms, in registers

VK_INLINE void fourier_2(v16 *re, v16 *im, int a, int b) {
  const v16 r = re[a], i = im[a];
  re[a] = r + re[b];
  im[a] = i + im[b];
  re[b] = r - re[b];
  im[b] = i - im[b];
}

VK_INLINE void fourier_4(v16 *re, v16 *im, int a, int b, int c, int d) {
  fourier_2(re, im, a, c);
  fourier_2(re, im, b, d);
  fourier_2(re, im, a, b);
  // a + -i d and a - -i d, in the places of c and d
  const v16 r = re[c], i = im[c], x = re[d], y = im[d];
  re[c] = r + y;
  im[c] = i - x;
  re[d] = r - y;
  im[d] = i + x;
  // Now a, c, b, d hold frequencies 0, 1, 2, 3.
  const v16 second_re = re[c], second_im = im[c];
  re[c] = re[b];
  im[c] = im[b];
  re[b] = second_re;
  im[b] = second_im;
}

VK_INLINE void fourier_3(v16 *re, v16 *im, int a, int b, int c) {
  const v16 half = (v16)(-0.5f), sine = (v16)(0.86602540378443864676f);
  const v16 sum_re = re[b] + re[c], sum_im = im[b] + im[c];
  const v16 turn_re = (im[b] - im[c]) * sine, turn_im = (re[c] - re[b]) * sine;
  const v16 rest_re = multiply_add(sum_re, half, re[a]);
  const v16 rest_im = multiply_add(sum_im, half, im[a]);
  re[a] += sum_re;
  im[a] += sum_im;
  re[b] = rest_re + turn_re;
  im[b] = rest_im + turn_im;
  re[c] = rest_re - turn_re;
  im[c] = rest_im - turn_im;
}

// (re + i im) times (cosine - i sine)
VK_INLINE void rotate(v16 *re, v16 *im, float cosine, float sine) {
  const v16 r = *re, i = *im;
  *re = multiply_add(i, (v16)(sine), r * cosine);
  *im = multiply_add(r, (v16)(-sine), i * cosine);
}

VK_INLINE void fourier_8(v16 *re, v16 *im) {
  const v16 root = (v16)(0.70710678118654752440f);
  fourier_4(re, im, 0, 2, 4, 6);
  fourier_4(re, im, 1, 3, 5, 7);
  // Odd frequencies turn by 0, 1, 2 and 3 eighths.
  const v16 r3 = re[3], i3 = im[3], r5 = re[5], i5 = im[5], r7 = re[7], i7 = im[7];
  re[3] = (r3 + i3) * root;
  im[3] = (i3 - r3) * root;
  re[5] = i5;
  im[5] = -r5;
  re[7] = (i7 - r7) * root;
  im[7] = -(r7 + i7) * root;
  VK_UNROLL for (int k = 0; k < 8; k += 2) fourier_2(re, im, k, k + 1);
  // Places 0...7 hold 0 4 1 5 2 6 3 7.
  const v16 r1 = re[1], i1 = im[1], r2 = re[2], i2 = im[2];
  const v16 s3 = re[3], j3 = im[3], s4 = re[4], j4 = im[4], s5 = re[5], j5 = im[5];
  const v16 s6 = re[6], j6 = im[6];
  re[1] = r2;
  im[1] = i2;
  re[2] = s4;
  im[2] = j4;
  re[3] = s6;
  im[3] = j6;
  re[4] = r1;
  im[4] = i1;
  re[5] = s3;
  im[5] = j3;
  re[6] = s5;
  im[6] = j5;
}

VK_INLINE void fourier_12(v16 *re, v16 *im) {
  // Good and Thomas: 3 and 4 have no common factor, so no rotations; n = 4 a + 3 b, k = 4 a + 9 b modulo 12.
  VK_UNROLL for (int b = 0; b < 4; b++) {
    fourier_3(re, im, 3 * b % 12, (4 + 3 * b) % 12, (8 + 3 * b) % 12);
  }
  VK_UNROLL for (int a = 0; a < 3; a++) {
    fourier_4(re, im, 4 * a, (4 * a + 3) % 12, (4 * a + 6) % 12, (4 * a + 9) % 12);
  }
  v16 r[12], i[12];
  VK_UNROLL for (int k = 0; k < 12; k++) {
    r[k] = re[k];
    i[k] = im[k];
  }
  VK_UNROLL for (int a = 0; a < 3; a++) {
    VK_UNROLL for (int b = 0; b < 4; b++) {
      re[(4 * a + 9 * b) % 12] = r[(4 * a + 3 * b) % 12];
      im[(4 * a + 9 * b) % 12] = i[(4 * a + 3 * b) % 12];
    }
  }
}

VK_INLINE void short_transform(const int R, v16 *re, v16 *im) {
  if (R == 4) fourier_4(re, im, 0, 1, 2, 3);
  if (R == 8) fourier_8(re, im);
  if (R == 12) fourier_12(re, im);
}

// MARK: Whole transforms, in memory

// Roots of unity: cosine and sine of 2 pi a b / (A B) for b < B, 1 <= a < A.
VK_INLINE const float *roots_at(const int A, const float *roots, int64_t b, int a) {
  return roots + 2 * (b * (A - 1) + a - 1);
}

VK_INLINE void to_spectrum(const int A, const int B, v16_unaligned *re, v16_unaligned *im, const float *roots) {
  v16 r[12], i[12];
#pragma clang loop unroll(disable)
  for (int64_t b = 0; b < B; b++) {
    VK_UNROLL for (int a = 0; a < A; a++) {
      r[a] = re[a * B + b];
      i[a] = im[a * B + b];
    }
    short_transform(A, r, i);
    re[b] = r[0];
    im[b] = i[0];
    VK_UNROLL for (int a = 1; a < A; a++) {
      const float *root = roots_at(A, roots, b, a);
      rotate(&r[a], &i[a], root[0], root[1]);
      re[a * B + b] = r[a];
      im[a * B + b] = i[a];
    }
  }
#pragma clang loop unroll(disable)
  for (int64_t a = 0; a < A; a++) {
    VK_UNROLL for (int b = 0; b < B; b++) {
      r[b] = re[a * B + b];
      i[b] = im[a * B + b];
    }
    short_transform(B, r, i);
    VK_UNROLL for (int b = 0; b < B; b++) {
      re[a * B + b] = r[b];
      im[a * B + b] = i[b];
    }
  }
}

VK_INLINE void from_spectrum(const int A, const int B, v16_unaligned *re, v16_unaligned *im, const float *roots) {
  v16 r[12], i[12];
#pragma clang loop unroll(disable)
  for (int64_t a = 0; a < A; a++) {
    VK_UNROLL for (int b = 0; b < B; b++) {
      r[b] = re[a * B + b];
      i[b] = im[a * B + b];
    }
    short_transform(B, r, i);
    VK_UNROLL for (int b = 0; b < B; b++) {
      re[a * B + b] = r[b];
      im[a * B + b] = i[b];
    }
  }
#pragma clang loop unroll(disable)
  for (int64_t b = 0; b < B; b++) {
    r[0] = re[b];
    i[0] = im[b];
    VK_UNROLL for (int a = 1; a < A; a++) {
      const float *root = roots_at(A, roots, b, a);
      r[a] = re[a * B + b];
      i[a] = im[a * B + b];
      rotate(&r[a], &i[a], root[0], root[1]);
    }
    short_transform(A, r, i);
    VK_UNROLL for (int a = 0; a < A; a++) {
      re[a * B + b] = r[a];
      im[a * B + b] = i[a];
    }
  }
}

// VK_LENGTH_LIST(LENGTH): every length with its two factors.
#define VK_LENGTH_LIST(LENGTH) LENGTH(16, 4, 4) LENGTH(32, 4, 8) LENGTH(48, 4, 12) LENGTH(64, 8, 8) LENGTH(96, 8, 12)

typedef void (*transform_function)(v16_unaligned *re, v16_unaligned *im, const float *roots);

typedef struct {
  int points, outer, inner;
  transform_function to_spectrum, from_spectrum;
} transform;

#define DEFINE_LENGTH(N, A, B)                                                                  \
  static void to_spectrum_##N(v16_unaligned *re, v16_unaligned *im, const float *roots) {                           \
    to_spectrum(A, B, re, im, roots);                                                           \
  }                                                                                             \
  static void from_spectrum_##N(v16_unaligned *re, v16_unaligned *im, const float *roots) {                         \
    from_spectrum(A, B, re, im, roots);                                                         \
  }
#define LIST_LENGTH(N, A, B) {N, A, B, to_spectrum_##N, from_spectrum_##N},

VK_LENGTH_LIST(DEFINE_LENGTH)

static const transform transforms[] = {VK_LENGTH_LIST(LIST_LENGTH)};

// The transform of a length; NULL if there is none.
VK_INLINE const transform *transform_of(int points) {
  for (size_t i = 0; i < sizeof transforms / sizeof *transforms; i++) {
    if (transforms[i].points == points) return &transforms[i];
  }
  return NULL;
}

// Where `to_spectrum` leaves frequency k.
VK_INLINE int frequency_place(const transform *t, int k) {
  return k % t->outer * t->inner + k / t->outer;
}
