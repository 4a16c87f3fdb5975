/// The cyclic redundancy check of Castagnoli, of the records of TensorFlow (RFC 3720, appendix B.4).
package enum CRC32C {
  /// Returns the checksum of some bytes.
  package static func checksum(of bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(0xFFFF_FFFF) { table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] ^ ($0 >> 8) }
  }

  /// Returns the checksum as records store it: rotated and shifted, so that a checksum of bytes that
  /// hold checksums stays meaningful.
  static func masked(_ bytes: [UInt8]) -> UInt32 {
    let sum = checksum(of: bytes)
    return (sum >> 15 | sum << 17) &+ 0xA282_EAD8
  }

  private static let table: [UInt32] = (0..<256).map { index in
    var entry = UInt32(index)
    for _ in 0..<8 { entry = (entry & 1) == 1 ? 0x82F6_3B78 ^ (entry >> 1) : entry >> 1 }
    return entry
  }
}
