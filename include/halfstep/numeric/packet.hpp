#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/numeric/packet_types.hpp>
#include <halfstep/numeric/scalar_number.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI::inline HALFSTEP_ISA {

template <class Isa>
struct number_traits<Packet<Isa>> {
  static constexpr int lanes = Isa::lanes;
  using isa = Isa;
  using mask = PacketMask<Isa>;
  using bits = PacketBits<Isa>;
};

/// A number that is several floats.
template <class N>
concept PacketNumber = requires {
  typename number_traits<N>::isa;
};

/// What a formula may be written for: float, double or a packet.
template <class N>
concept Number = ScalarNumber<N> || PacketNumber<N>;

// Every argument after the first converts, so that `max(x, 0.0f)` and `select(m, x, 0.0f)` work.

template <class Isa>
HALFSTEP_INLINE Packet<Isa> select(const PacketMask<Isa>& mask, const Packet<Isa>& a,
                                   const std::type_identity_t<Packet<Isa>>& b) {
  return Packet<Isa>(typename Isa::Floats(mask.v ? a.v : b.v));
}
template <class Isa>
HALFSTEP_INLINE PacketBits<Isa> select(const PacketMask<Isa>& mask, const PacketBits<Isa>& a,
                                       const std::type_identity_t<PacketBits<Isa>>& b) {
  return PacketBits<Isa>(typename Isa::Words(mask.v ? a.v : b.v));
}

/// a * b + c, with one rounding where the instruction set has it.
template <class Isa>
HALFSTEP_INLINE Packet<Isa> fma(const Packet<Isa>& a, const std::type_identity_t<Packet<Isa>>& b,
                                const std::type_identity_t<Packet<Isa>>& c) {
  Packet<Isa> result;
  Isa::fused_multiply_add(a.v, b.v, c.v, result.v);
  return result;
}
template <class Isa>
HALFSTEP_INLINE Packet<Isa> sqrt(const Packet<Isa>& x) {
  Packet<Isa> result;
  Isa::square_root(x.v, result.v);
  return result;
}
template <class Isa>
HALFSTEP_INLINE Packet<Isa> floor(const Packet<Isa>& x) {
  Packet<Isa> result;
  Isa::floor(x.v, result.v);
  return result;
}
/// The nearest integer, ties to even.
template <class Isa>
HALFSTEP_INLINE Packet<Isa> round_to_int(const Packet<Isa>& x) {
  Packet<Isa> result;
  Isa::round(x.v, result.v);
  return result;
}

template <class Isa>
HALFSTEP_INLINE PacketBits<Isa> bits_of(const Packet<Isa>& x) {
  return PacketBits<Isa>((typename Isa::Words)x.v);
}
template <PacketNumber N>
HALFSTEP_INLINE N from_bits(const Bits<N>& x) {
  return N((typename N::Floats)x.v);
}
template <class Isa>
HALFSTEP_INLINE Packet<Isa> abs(const Packet<Isa>& x) {
  return from_bits<Packet<Isa>>(bits_of(x) & 0x7FFFFFFFu);
}
// Each selection below rests on one comparison: where two are combined for one, GCC 12 takes
// AVX-512 packets apart into lanes.

/// The smaller one; NaN when either is NaN.
template <class Isa>
HALFSTEP_INLINE Packet<Isa> min(const Packet<Isa>& a, const std::type_identity_t<Packet<Isa>>& b) {
  const Packet<Isa> b_or_nan = select(a == a, b, a);
  return select(b_or_nan >= a, a, b_or_nan);
}
/// The larger one; NaN when either is NaN.
template <class Isa>
HALFSTEP_INLINE Packet<Isa> max(const Packet<Isa>& a, const std::type_identity_t<Packet<Isa>>& b) {
  const Packet<Isa> b_or_nan = select(a == a, b, a);
  return select(b_or_nan <= a, a, b_or_nan);
}
/// The nearest number in [low, high], which must not be NaN; a NaN stays one.
template <class Isa>
HALFSTEP_INLINE Packet<Isa> clamp(const Packet<Isa>& x,
                                  const std::type_identity_t<Packet<Isa>>& low,
                                  const std::type_identity_t<Packet<Isa>>& high) {
  const Packet<Isa> capped = select(high < x, high, x);
  return select(low > capped, low, capped);
}
template <class Isa>
HALFSTEP_INLINE PacketMask<Isa> is_finite(const Packet<Isa>& x) {
  return (bits_of(x) & 0x7F800000u) != 0x7F800000u;
}

/// Words as signed integers, as numbers.
template <PacketNumber N>
HALFSTEP_INLINE N int_to_float(const Bits<N>& x) {
  using Isa = typename number_traits<N>::isa;
  return N(__builtin_convertvector((typename Isa::Ints)x.v, typename Isa::Floats));
}
/// The integer part as a signed word; |x| must be below 2^31.
template <class Isa>
HALFSTEP_INLINE PacketBits<Isa> truncate_to_int(const Packet<Isa>& x) {
  return PacketBits<Isa>((typename Isa::Words) __builtin_convertvector(x.v, typename Isa::Ints));
}
/// The upper 32 bits of the product.
template <class Isa>
HALFSTEP_INLINE PacketBits<Isa> multiply_high(const PacketBits<Isa>& a,
                                              const std::type_identity_t<PacketBits<Isa>>& b) {
  PacketBits<Isa> result;
  Isa::multiply_high(a.v, b.v, result.v);
  return result;
}
template <class Isa>
HALFSTEP_INLINE std::uint32_t word_of_lane(const PacketBits<Isa>& x, int lane) {
  return x.v[lane];
}
/// 0, 1, 2, ... over the lanes.
template <PacketNumber N>
HALFSTEP_INLINE Bits<N> lane_index() {
  constexpr std::uint32_t indices[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  // Assigned, not converted: Clang would bind a reference to the unaligned words.
  Bits<N> result;
  result.v = *reinterpret_cast<const typename number_traits<N>::isa::UnalignedWords*>(indices);
  return result;
}

template <PacketNumber N, Storage T>
HALFSTEP_INLINE N load(const T* p) {
  static_assert(!std::same_as<T, double>, "packets hold floats: use N = double for double storage");
  using Isa = typename number_traits<N>::isa;
  N result;
  if constexpr (std::same_as<T, float>) {
    result.v = *reinterpret_cast<const typename Isa::UnalignedFloats*>(p);
  } else if constexpr (std::same_as<T, float16>) {
    Isa::load_float16(p, result.v);
  } else {
    Bits<N> bits;
    Isa::load_upper_halves(p, bits.v);
    result = from_bits<N>(bits);
  }
  return result;
}

/// Rounds to nearest even, as the scalar conversions do, to the bit.
template <class Isa, Storage T>
HALFSTEP_INLINE void store(const Packet<Isa>& x, T* p) {
  static_assert(!std::same_as<T, double>, "packets hold floats: use N = double for double storage");
  if constexpr (std::same_as<T, float>) {
    *reinterpret_cast<typename Isa::UnalignedFloats*>(p) = x.v;
  } else if constexpr (std::same_as<T, float16>) {
    Isa::store_float16(x.v, p);
  } else if constexpr (requires { Isa::store_bfloat16(x.v, p); }) {
    // GCC 12 takes the comparison below apart into lanes where AVX-512 has masks.
    Isa::store_bfloat16(x.v, p);
  } else {
    const PacketBits<Isa> word = bits_of(x);
    PacketBits<Isa> rounded = word + (((word >> 16) & 1u) + 0x7FFFu);
    // A branch that is never taken costs a loop less than a selection: an optimizer's pass on
    // bfloat16 is bound by such instructions.
    const PacketMask<Isa> nan = x != x;
    if (__builtin_expect(any(nan), 0)) rounded = select(nan, word | 0x400000u, rounded);
    Isa::store_upper_halves(rounded.v, p);
  }
}

/// Whole numbers of 16 bits.
template <PacketNumber N>
HALFSTEP_INLINE N load(const remainder16* p) {
  using Isa = typename number_traits<N>::isa;
  Bits<N> bits;
  Isa::load_upper_halves(p, bits.v);
  const typename Isa::Ints shifted = (typename Isa::Ints)bits.v >> 16;
  return N(__builtin_convertvector(shifted, typename Isa::Floats));
}
template <class Isa>
HALFSTEP_INLINE void store(const Packet<Isa>& x, remainder16* p) {
  const PacketBits<Isa> words = truncate_to_int(x) << 16;
  Isa::store_upper_halves(words.v, p);
}

/// Reads min(count, lanes) numbers and never past them; the other lanes get `padding`. A loop that
/// uses it for whole packets too has one body, hence the same bits at every place:
///   for (i = 0; i < n; i += lanes<N>) store_partial(f(load_partial<N>(x + i, n - i)), y + i, n -
///   i);
template <PacketNumber N, Storage T>
HALFSTEP_INLINE N load_partial(const T* p, std::size_t count, float padding = 0.0f) {
  if (count >= static_cast<std::size_t>(lanes<N>)) return load<N>(p);
  T buffer[lanes<N>];
  for (int i = 0; i < lanes<N>; ++i) {
    buffer[i] = static_cast<std::size_t>(i) < count ? p[i] : T(padding);
  }
  return load<N>(buffer);
}

/// Writes min(count, lanes) numbers.
template <class Isa, Storage T>
HALFSTEP_INLINE void store_partial(const Packet<Isa>& x, T* p, std::size_t count) {
  if (count >= static_cast<std::size_t>(Isa::lanes)) return store(x, p);
  T buffer[Isa::lanes];
  store(x, buffer);
  for (int i = 0; i < Isa::lanes; ++i) {
    if (static_cast<std::size_t>(i) < count) p[i] = buffer[i];
  }
}

/// Combines all lanes in a fixed tree: lane i with lane i + lanes/2, and so on.
template <class Isa, class Combine>
HALFSTEP_INLINE float reduce_lanes(const Packet<Isa>& x, const Combine& combine) {
  if constexpr (Isa::lanes == 4) {
    return combine(combine(x.v[0], x.v[2]), combine(x.v[1], x.v[3]));
  } else {
    Packet<typename Isa::Half> lower, upper;
    Isa::halves(x.v, lower.v, upper.v);
    return reduce_lanes(combine(lower, upper), combine);
  }
}
struct AddLanes {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return a + b;
  }
};
struct MaxLanes {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return max(a, b);
  }
};
struct MinLanes {
  template <class N>
  HALFSTEP_INLINE N operator()(const N& a, const N& b) const {
    return min(a, b);
  }
};
template <class Isa>
HALFSTEP_INLINE float sum(const Packet<Isa>& x) {
  return reduce_lanes(x, AddLanes{});
}
template <class Isa>
HALFSTEP_INLINE float max(const Packet<Isa>& x) {
  return reduce_lanes(x, MaxLanes{});
}
template <class Isa>
HALFSTEP_INLINE float min(const Packet<Isa>& x) {
  return reduce_lanes(x, MinLanes{});
}

}  // namespace halfstep
