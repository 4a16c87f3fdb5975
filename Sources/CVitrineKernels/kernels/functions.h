// Elementwise functions and their derivatives.
//
// Exponentials are only taken of values <= 0, so nothing overflows: e^x = 2^n e^r with n = round(x / ln 2)
// and |r| <= ln 2 / 2, where the Taylor series of e^r - 1 up to r^7 errs by 1.5e-8 relatively.
// Errors measured over all magnitudes: 4 ulp at most for sigmoid, tanh, ELU and softplus; results below
// 2^-126 become 0. NaN stays NaN.

VK_INLINE v16 from_bits(m16 bits) {
  v16 v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

VK_INLINE m16 to_bits(v16 v) {
  m16 bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

typedef struct {
  v16 rest;   // e^r - 1
  v16 power;  // 2^n
} exponential_parts;

// x in -87.3...0
VK_INLINE exponential_parts split_exponential(v16 x) {
  // Adding 1.5 * 2^23 leaves the nearest integer in the low bits.
  const v16 shifter = (v16)(12582912.0f);
  const v16 shifted = multiply_add(x, (v16)(1.44269504f), shifter);
  const v16 n = shifted - shifter;
  // ln 2 in two parts, the first with 9 bits so that n * first is exact.
  v16 r = multiply_add(n, (v16)(-0.693359375f), x);
  r = multiply_add(n, (v16)(2.12194440e-4f), r);
  v16 sum = (v16)(1.0f / 5040);
  sum = multiply_add(sum, r, (v16)(1.0f / 720));
  sum = multiply_add(sum, r, (v16)(1.0f / 120));
  sum = multiply_add(sum, r, (v16)(1.0f / 24));
  sum = multiply_add(sum, r, (v16)(1.0f / 6));
  sum = multiply_add(sum, r, (v16)(0.5f));
  const m16 exponent = to_bits(shifted) - to_bits(shifter) + 127;
  return (exponential_parts){
    .rest = multiply_add(r * r, sum, r),
    .power = from_bits(exponent << 23),
  };
}

static const float least_exponent = -87.3f;

// e^x for x <= 0
VK_INLINE v16 exponential(v16 x) {
  const exponential_parts parts = split_exponential(at_least(x, (v16)(least_exponent)));
  const v16 value = multiply_add(parts.rest, parts.power, parts.power);
  return x < (v16)(least_exponent) ? (v16)(0.0f) : value;
}

// e^x - 1 for x <= 0, accurate near 0
VK_INLINE v16 exponential_minus_one(v16 x) {
  const exponential_parts parts = split_exponential(at_least(x, (v16)(least_exponent)));
  return multiply_add(parts.rest, parts.power, parts.power - 1.0f);
}

// log(1 + e) for 0 <= e <= 1: 2 artanh(e / (2 + e)), series up to z^15, error 2e-9
VK_INLINE v16 logarithm_of_one_plus(v16 e) {
  const v16 z = e / (e + 2.0f), square = z * z;
  v16 sum = (v16)(1.0f / 15);
  sum = multiply_add(sum, square, (v16)(1.0f / 13));
  sum = multiply_add(sum, square, (v16)(1.0f / 11));
  sum = multiply_add(sum, square, (v16)(1.0f / 9));
  sum = multiply_add(sum, square, (v16)(1.0f / 7));
  sum = multiply_add(sum, square, (v16)(1.0f / 5));
  sum = multiply_add(sum, square, (v16)(1.0f / 3));
  const v16 twice = z + z;
  return multiply_add(twice * square, sum, twice);
}

VK_INLINE v16 sigmoid(v16 x) {
  const v16 e = exponential(-magnitude(x));
  return (x < (v16)(0.0f) ? e : (v16)(1.0f)) / (e + 1.0f);
}

VK_INLINE v16 hyperbolic_tangent(v16 x) {
  const v16 e = exponential_minus_one(-2.0f * magnitude(x));
  const v16 value = -e / (e + 2.0f);
  return x < (v16)(0.0f) ? -value : value;
}

// f(x) for one strip of values
VK_INLINE v16 apply_function(const vk_function function, v16 x, float alpha, float beta) {
  const v16 zero = (v16)(0.0f), one = (v16)(1.0f);
  switch (function) {
    case VK_IDENTITY: return x;
    case VK_RELU: return at_least(x, zero);
    case VK_CLIP: return at_most(at_least(x, (v16)(alpha)), (v16)(beta));
    case VK_LEAKY_RELU: return x > zero ? x : x * alpha;
    case VK_SIGMOID: return sigmoid(x);
    case VK_TANH: return hyperbolic_tangent(x);
    case VK_ELU: return x > zero ? x : exponential_minus_one(at_most(x, zero)) * alpha;
    case VK_SOFTPLUS:
      return at_least(x, zero) + logarithm_of_one_plus(exponential(-magnitude(x)));
    case VK_HARD_SIGMOID:
      return at_most(at_least(multiply_add(x, (v16)(alpha), (v16)(beta)), zero), one);
    case VK_HARD_SWISH:
      return x * at_most(at_least(multiply_add(x, (v16)(1.0f / 6), (v16)(0.5f)), zero), one);
  }
  return x;
}

// g f'(x). At a kink: the derivative towards the flat side (0 where there is none).
VK_INLINE v16 apply_derivative(const vk_function function, v16 g, v16 x, float alpha, float beta) {
  const v16 zero = (v16)(0.0f), one = (v16)(1.0f);
  switch (function) {
    case VK_IDENTITY: return g;
    case VK_RELU: return x > zero ? g : zero;
    case VK_CLIP: return ((x > (v16)(alpha)) & (x < (v16)(beta))) ? g : zero;
    case VK_LEAKY_RELU: return x > zero ? g : g * alpha;
    case VK_SIGMOID: {
      const v16 e = exponential(-magnitude(x));
      return g * (e / ((e + 1.0f) * (e + 1.0f)));
    }
    case VK_TANH: {
      const v16 e = exponential(-2.0f * magnitude(x));
      return g * (4.0f * e / ((e + 1.0f) * (e + 1.0f)));
    }
    case VK_ELU: return x > zero ? g : g * (exponential(at_most(x, zero)) * alpha);
    case VK_SOFTPLUS: return g * sigmoid(x);
    case VK_HARD_SIGMOID: {
      const v16 line = multiply_add(x, (v16)(alpha), (v16)(beta));
      return ((line > zero) & (line < one)) ? g * alpha : zero;
    }
    case VK_HARD_SWISH: {
      const v16 slope = multiply_add(x, (v16)(1.0f / 3), (v16)(0.5f));
      return x >= (v16)(3.0f) ? g : x > (v16)(-3.0f) ? g * slope : zero;
    }
  }
  return g;
}
