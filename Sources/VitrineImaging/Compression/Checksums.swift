/// The cyclic redundancy check of PNG chunks and gzip members (ISO 3309, polynomial EDB88320).
package struct CRC32 {
  private var state: UInt32 = 0xFFFF_FFFF

  /// Starts a checksum of no bytes.
  package init() {}

  /// The checksum of all bytes so far.
  package var value: UInt32 { ~state }

  /// Adds bytes to the checksum.
  package mutating func update(_ bytes: ArraySlice<UInt8>) {
    var crc = state
    bytes.withUnsafeBufferPointer { bytes in
      Self.table.withUnsafeBufferPointer { table in
        for byte in bytes {
          crc = table[Int((crc ^ UInt32(byte)) & 0xFF)] ^ (crc >> 8)
        }
      }
    }
    state = crc
  }

  /// Returns the checksum of some bytes.
  package static func checksum(of bytes: ArraySlice<UInt8>) -> UInt32 {
    var crc = CRC32()
    crc.update(bytes)
    return crc.value
  }

  private static let table: [UInt32] = (0..<256).map { index in
    var entry = UInt32(index)
    for _ in 0..<8 { entry = (entry & 1) == 1 ? 0xEDB8_8320 ^ (entry >> 1) : entry >> 1 }
    return entry
  }
}

/// The checksum at the end of a zlib stream (RFC 1950, section 8.2).
package enum Adler32 {
  /// Returns the checksum of some bytes.
  package static func checksum(of bytes: [UInt8]) -> UInt32 {
    let modulus: UInt32 = 65_521
    // 5552 is the longest run after which the second sum still fits 32 bits.
    let longestRun = 5552
    var first: UInt32 = 1
    var second: UInt32 = 0
    bytes.withUnsafeBufferPointer { bytes in
      var start = 0
      while start < bytes.count {
        let end = min(start + longestRun, bytes.count)
        for index in start..<end {
          first &+= UInt32(bytes[index])
          second &+= first
        }
        first %= modulus
        second %= modulus
        start = end
      }
    }
    return second << 16 | first
  }
}
