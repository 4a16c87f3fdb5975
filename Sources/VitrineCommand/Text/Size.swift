/// Numbers of bytes as people write them.
package enum Size {
  /// Returns the bytes that `512M`, `2GiB` or `1000000` stands for, or `nil`.
  ///
  /// K, M, G and T are powers of 1024, with or without `B` or `iB`.
  package static func bytes(_ text: String) -> Int? {
    let digits = text.prefix { ("0"..."9").contains($0) }
    guard let count = Int(digits), count > 0 else { return nil }
    let shifts = ["": 0, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40]
    var unit = text.dropFirst(digits.count).lowercased()
    if unit.hasSuffix("ib") {
      unit.removeLast(2)
    } else if unit.count == 2, unit.hasSuffix("b") {
      unit.removeLast()
    }
    guard let shift = shifts[unit] else { return nil }
    let (bytes, overflow) = count.multipliedReportingOverflow(by: 1 << shift)
    return overflow ? nil : bytes
  }
}
