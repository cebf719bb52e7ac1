#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/numeric/packet.hpp>

#include <cmath>
#include <cstdint>
#include <limits>

namespace halfstep::inline HALFSTEP_ABI::inline HALFSTEP_ISA {

// Polynomials are Chebyshev fits, rounded to float. The bounds hold over all floats against the
// exact value and are tested on every instruction set. Where flush-to-zero is on, subnormal results
// are 0.

template <ScalarNumber N>
HALFSTEP_HOST_DEVICE N exp(N x) {
  return std::exp(x);
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE N log(N x) {
  return std::log(x);
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE N log1p(N x) {
  return std::log1p(x);
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE N tanh(N x) {
  return std::tanh(x);
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE N erf(N x) {
  return std::erf(x);
}
template <ScalarNumber N>
HALFSTEP_HOST_DEVICE N pow(N x, std::type_identity_t<N> y) {
  return std::pow(x, y);
}

/// coefficients[0] x^k + ... + coefficients[k], by Horner's rule.
template <PacketNumber N, class... Coefficients>
HALFSTEP_INLINE N polynomial(const N& x, float first, Coefficients... rest) {
  N result(first);
  ((result = fma(result, x, N(rest))), ...);
  return result;
}

/// The sign of `sign` on the magnitude of `magnitude`.
template <class Isa>
HALFSTEP_INLINE Packet<Isa> copy_sign(const Packet<Isa>& magnitude, const Packet<Isa>& sign) {
  return from_bits<Packet<Isa>>((bits_of(magnitude) & 0x7FFFFFFFu) | (bits_of(sign) & 0x80000000u));
}

/// e^x = fraction * 2^exponent with a fraction near one; |x| must be at most 104, or NaN.
template <class Isa>
HALFSTEP_INLINE Packet<Isa> exp_fraction(const Packet<Isa>& x, PacketBits<Isa>& exponent) {
  using N = Packet<Isa>;
  // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits.
  const N shifted = fma(x, 1.44269504f, 0x1.8p23f);
  const N n = shifted - 0x1.8p23f;
  exponent = bits_of(shifted) - 0x4B400000u;
  // ln 2 in two parts, the first so short that its product with n is exact.
  const N r = fma(n, 2.12194440e-4f, fma(n, -0.693359375f, x));
  const N tail = polynomial(r, 0.00139262508f, 0.00836323288f, 0.0416665542f, 0.166665767f, 0.5f);
  return fma(r * r, tail, r) + 1.0f;
}

/// e^x for |x| <= 87, or NaN: no subnormal and no inf to care for.
template <class Isa>
HALFSTEP_INLINE Packet<Isa> exp_of_moderate(const Packet<Isa>& x) {
  PacketBits<Isa> exponent;
  const Packet<Isa> fraction = exp_fraction(x, exponent);
  return fraction * from_bits<Packet<Isa>>((exponent + 127u) << 23);
}

/// e^x.
///
/// @numerics  within 2 ulp, subnormal results included; inf above 88.72, 0 below -103.97
template <class Isa>
HALFSTEP_INLINE Packet<Isa> exp(const Packet<Isa>& x) {
  using N = Packet<Isa>;
  // Beyond these ends the result is 0 or inf anyway, and the exponent stays in its range.
  PacketBits<Isa> exponent;
  const N fraction = exp_fraction(clamp(x, -104.0f, 89.0f), exponent);
  if constexpr (requires(N y) { Isa::scale_by_power(y.v, y.v, y.v); }) {
    N result;
    Isa::scale_by_power(fraction.v, int_to_float<N>(exponent).v, result.v);
    return result;
  }
  // Two factors, because 2^exponent itself may not be a normal float.
  const PacketBits<Isa> half = ((exponent + 512u) >> 1) - 256u;
  const N scale = from_bits<N>((half + 127u) << 23);
  const N other_scale = from_bits<N>((exponent - half + 127u) << 23);
  return fraction * scale * other_scale;
}

/// The natural logarithm.
///
/// @numerics  within 2 ulp, subnormal arguments included; -inf at 0, NaN below
template <class Isa>
HALFSTEP_INLINE Packet<Isa> log(const Packet<Isa>& x) {
  using N = Packet<Isa>;
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const PacketMask<Isa> is_subnormal = x < 0x1p-126f;
  const PacketBits<Isa> word = bits_of(select(is_subnormal, x * 0x1p23f, x));
  // x = 2^exponent m with m in [sqrt(1/2), sqrt(2)).
  const PacketBits<Isa> biased = (word + (0x3F800000u - 0x3F3504F3u)) >> 23;
  const PacketBits<Isa> exponent = biased - 127u;
  const N f = from_bits<N>(word - (exponent << 23)) - 1.0f;
  const N e = int_to_float<N>(exponent) - select(is_subnormal, N(23.0f), 0.0f);
  const N q = polynomial(f, 0.0697161147f, -0.114797338f, 0.116854199f, -0.124256873f, 0.142490576f,
                         -0.166678023f, 0.200007157f, -0.24999997f, 0.333333312f);
  const N square = f * f;
  N y = fma(e, -2.12194440e-4f, square * f * q);
  y = fma(square, -0.5f, y);
  const N result = fma(e, 0.693359375f, f + y);
  const N nan = std::numeric_limits<float>::quiet_NaN();
  const N special = select(x == 0.0f, N(-infinity), select(x < 0.0f, nan, x));
  return select((x > 0.0f) & (x < infinity), result, special);
}

/// log(1 + x), also for x so small that 1 + x is 1.
///
/// @numerics  within 3 ulp
template <class Isa>
HALFSTEP_INLINE Packet<Isa> log1p(const Packet<Isa>& x) {
  using N = Packet<Isa>;
  // What rounding 1 + x changed is mended by the factor x / ((1 + x) - 1): Kahan's way.
  const N u = x + 1.0f;
  const N difference = u - 1.0f;
  const N result = log(u) * (x / difference);
  const PacketMask<Isa> keep = (difference == 0.0f) | (x == std::numeric_limits<float>::infinity());
  return select(keep, x, result);
}

/// @numerics  within 2 ulp; exact signs of zero, 1 at inf
template <class Isa>
HALFSTEP_INLINE Packet<Isa> tanh(const Packet<Isa>& x) {
  using N = Packet<Isa>;
  const N magnitude = abs(x);
  const N z = x * x;
  const N r =
      polynomial(z, -0.00609671417f, 0.020997179f, -0.0538509096f, 0.133327697f, -0.333333289f);
  const N small = fma(x * z, r, x);
  // From 10 on the result is 1.
  const N bounded = clamp(magnitude, 0.0f, 10.0f);
  const N large = 1.0f - 2.0f / (exp_of_moderate(bounded + bounded) + 1.0f);
  // On both sides, because the polynomial turns -0 into +0.
  return copy_sign(select(magnitude < 0.625f, small, large), x);
}

/// The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
///
/// @numerics  within 2 ulp; 1 at inf
template <class Isa>
HALFSTEP_INLINE Packet<Isa> erf(const Packet<Isa>& x) {
  using N = Packet<Isa>;
  const N magnitude = abs(x);
  const N z = x * x;
  const N r = polynomial(z, 8.33471862e-5f, -0.000813470933f, 0.00520036859f, -0.0268591515f,
                         0.112836915f, -0.376126335f, 0.128379167f);
  const N small = fma(x, r, x);
  // -log(1 - erf t) is smooth, and 1 - erf t is nothing beside 1 from t = 4 on.
  const N u = clamp(magnitude, 0.0f, 4.0f) - 1.0f;
  const N g = polynomial(u, -1.64356965e-6f, 3.30293556e-5f, -0.000320518033f, 0.00205481069f,
                         -0.0100781164f, 0.0415754805f, 0.84310517f, 2.63896753f, 1.84960552f);
  const N large = 1.0f - exp_of_moderate(-g);
  return select(magnitude < 0.9296875f, small, copy_sign(large, x));
}

/// x^y with the C library's rules: one library call a lane. Powers that a formula knows (2, 1/2)
/// are better written as what they are.
template <class Isa>
HALFSTEP_INLINE Packet<Isa> pow(const Packet<Isa>& x, const std::type_identity_t<Packet<Isa>>& y) {
  Packet<Isa> result = x;
  for (int i = 0; i < Isa::lanes; ++i) result.v[i] = std::pow(x.v[i], y.v[i]);
  return result;
}

/// 1 / (1 + e^-x).
///
/// @numerics  within 3 ulp, and no overflow on the way: e^-|x| is all that it computes
template <Number N>
HALFSTEP_HOST_DEVICE HALFSTEP_INLINE N sigmoid(const N& x) {
  const N e = exp(-abs(x));
  return select(x < N(0.0f), e, N(1.0f)) / (N(1.0f) + e);
}

}  // namespace halfstep
