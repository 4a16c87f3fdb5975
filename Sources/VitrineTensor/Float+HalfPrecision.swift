extension Float {
  /// Creates the number that the bits of an IEEE 754 binary16 number stand for, exactly.
  ///
  /// `Float16` would do this, but Intel Macs do not have it.
  package init(half bits: UInt16) {
    // With the exponent field moved into place the value is 2^112 times too small; multiplying by a
    // power of two is exact, for subnormal numbers too.
    let magnitude = UInt32(bits & 0x7fff) << 13
    let scaled = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
    let sign = UInt32(bits & 0x8000) << 16
    let isFinite = bits & 0x7c00 != 0x7c00
    self.init(bitPattern: sign | (isFinite ? scaled : magnitude | 0x7f80_0000))
  }

  /// Creates the number that the bits of a bfloat16 number stand for, exactly.
  package init(brain bits: UInt16) {
    self.init(bitPattern: UInt32(bits) << 16)
  }
}
