#pragma once

#include <halfstep/core/macros.hpp>
#include <halfstep/numeric/instruction_sets.hpp>

#include <cstdint>

namespace halfstep::inline HALFSTEP_ABI::inline HALFSTEP_ISA {

// Copies are user-provided on purpose: a class that is not trivially copyable is passed and
// returned by address, so no calling convention depends on the instruction set (and no compiler
// warns of it). After inlining nothing of that is left.

/// A truth value a lane, all bits set or none: what comparing packets gives, and `select` takes.
template <class Isa>
struct PacketMask {
  using Ints = typename Isa::Ints;
  Ints v;

  PacketMask() = default;
  HALFSTEP_INLINE PacketMask(const PacketMask& other) : v(other.v) {}
  HALFSTEP_INLINE PacketMask& operator=(const PacketMask& other) {
    v = other.v;
    return *this;
  }
  HALFSTEP_INLINE explicit PacketMask(const Ints& lane_masks) : v(lane_masks) {}
  HALFSTEP_INLINE explicit PacketMask(bool value) : v(Ints{} - static_cast<std::int32_t>(value)) {}

  friend HALFSTEP_INLINE PacketMask operator&(const PacketMask& a, const PacketMask& b) {
    return PacketMask(Ints(a.v & b.v));
  }
  friend HALFSTEP_INLINE PacketMask operator|(const PacketMask& a, const PacketMask& b) {
    return PacketMask(Ints(a.v | b.v));
  }
  friend HALFSTEP_INLINE PacketMask operator^(const PacketMask& a, const PacketMask& b) {
    return PacketMask(Ints(a.v ^ b.v));
  }
  friend HALFSTEP_INLINE PacketMask operator!(const PacketMask& a) {
    return PacketMask(Ints(~a.v));
  }
  friend HALFSTEP_INLINE bool any(const PacketMask& mask) { return Isa::any(mask.v); }
  friend HALFSTEP_INLINE bool all(const PacketMask& mask) { return !any(!mask); }
};

/// A std::uint32_t a lane: random words, exponents, the bit patterns of floats.
template <class Isa>
struct PacketBits {
  using Words = typename Isa::Words;
  using MaskType = PacketMask<Isa>;
  Words v;

  PacketBits() = default;
  HALFSTEP_INLINE PacketBits(const PacketBits& other) : v(other.v) {}
  HALFSTEP_INLINE PacketBits& operator=(const PacketBits& other) {
    v = other.v;
    return *this;
  }
  HALFSTEP_INLINE explicit PacketBits(const Words& words) : v(words) {}
  HALFSTEP_INLINE PacketBits(std::uint32_t word) { Isa::broadcast(word, v); }

  friend HALFSTEP_INLINE PacketBits operator+(const PacketBits& a, const PacketBits& b) {
    return PacketBits(Words(a.v + b.v));
  }
  friend HALFSTEP_INLINE PacketBits operator-(const PacketBits& a, const PacketBits& b) {
    return PacketBits(Words(a.v - b.v));
  }
  friend HALFSTEP_INLINE PacketBits operator*(const PacketBits& a, const PacketBits& b) {
    return PacketBits(Words(a.v * b.v));
  }
  friend HALFSTEP_INLINE PacketBits operator&(const PacketBits& a, const PacketBits& b) {
    return PacketBits(Words(a.v & b.v));
  }
  friend HALFSTEP_INLINE PacketBits operator|(const PacketBits& a, const PacketBits& b) {
    return PacketBits(Words(a.v | b.v));
  }
  friend HALFSTEP_INLINE PacketBits operator^(const PacketBits& a, const PacketBits& b) {
    return PacketBits(Words(a.v ^ b.v));
  }
  friend HALFSTEP_INLINE PacketBits operator<<(const PacketBits& a, int count) {
    return PacketBits(Words(a.v << static_cast<std::uint32_t>(count)));
  }
  friend HALFSTEP_INLINE PacketBits operator>>(const PacketBits& a, int count) {
    return PacketBits(Words(a.v >> static_cast<std::uint32_t>(count)));
  }
  friend HALFSTEP_INLINE MaskType operator==(const PacketBits& a, const PacketBits& b) {
    return MaskType(typename Isa::Ints(a.v == b.v));
  }
  friend HALFSTEP_INLINE MaskType operator!=(const PacketBits& a, const PacketBits& b) {
    return MaskType(typename Isa::Ints(a.v != b.v));
  }
  friend HALFSTEP_INLINE MaskType operator<(const PacketBits& a, const PacketBits& b) {
    return MaskType(typename Isa::Ints(a.v < b.v));
  }
  friend HALFSTEP_INLINE MaskType operator<=(const PacketBits& a, const PacketBits& b) {
    return MaskType(typename Isa::Ints(a.v <= b.v));
  }
  friend HALFSTEP_INLINE MaskType operator>(const PacketBits& a, const PacketBits& b) {
    return MaskType(typename Isa::Ints(a.v > b.v));
  }
  friend HALFSTEP_INLINE MaskType operator>=(const PacketBits& a, const PacketBits& b) {
    return MaskType(typename Isa::Ints(a.v >= b.v));
  }
};

/// A float a lane. Operators work lane by lane; a float beside a packet stands for every lane.
template <class Isa>
struct Packet {
  using Floats = typename Isa::Floats;
  using MaskType = PacketMask<Isa>;
  Floats v;

  Packet() = default;
  HALFSTEP_INLINE Packet(const Packet& other) : v(other.v) {}
  HALFSTEP_INLINE Packet& operator=(const Packet& other) {
    v = other.v;
    return *this;
  }
  HALFSTEP_INLINE explicit Packet(const Floats& floats) : v(floats) {}
  HALFSTEP_INLINE Packet(float value) { Isa::broadcast(value, v); }

  friend HALFSTEP_INLINE Packet operator+(const Packet& a, const Packet& b) {
    return Packet(Floats(a.v + b.v));
  }
  friend HALFSTEP_INLINE Packet operator-(const Packet& a, const Packet& b) {
    return Packet(Floats(a.v - b.v));
  }
  friend HALFSTEP_INLINE Packet operator*(const Packet& a, const Packet& b) {
    return Packet(Floats(a.v * b.v));
  }
  friend HALFSTEP_INLINE Packet operator/(const Packet& a, const Packet& b) {
    return Packet(Floats(a.v / b.v));
  }
  friend HALFSTEP_INLINE Packet operator-(const Packet& a) { return Packet(Floats(-a.v)); }
  HALFSTEP_INLINE Packet& operator+=(const Packet& other) { return *this = *this + other; }
  HALFSTEP_INLINE Packet& operator-=(const Packet& other) { return *this = *this - other; }
  HALFSTEP_INLINE Packet& operator*=(const Packet& other) { return *this = *this * other; }
  HALFSTEP_INLINE Packet& operator/=(const Packet& other) { return *this = *this / other; }

  friend HALFSTEP_INLINE MaskType operator==(const Packet& a, const Packet& b) {
    return MaskType(typename Isa::Ints(a.v == b.v));
  }
  friend HALFSTEP_INLINE MaskType operator!=(const Packet& a, const Packet& b) {
    return MaskType(typename Isa::Ints(a.v != b.v));
  }
  friend HALFSTEP_INLINE MaskType operator<(const Packet& a, const Packet& b) {
    return MaskType(typename Isa::Ints(a.v < b.v));
  }
  friend HALFSTEP_INLINE MaskType operator<=(const Packet& a, const Packet& b) {
    return MaskType(typename Isa::Ints(a.v <= b.v));
  }
  friend HALFSTEP_INLINE MaskType operator>(const Packet& a, const Packet& b) {
    return MaskType(typename Isa::Ints(a.v > b.v));
  }
  friend HALFSTEP_INLINE MaskType operator>=(const Packet& a, const Packet& b) {
    return MaskType(typename Isa::Ints(a.v >= b.v));
  }
};

}  // namespace halfstep
