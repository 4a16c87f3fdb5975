/// A checked command line: the words and flags given to a verb.
struct Invocation: Sendable {
  let operands: [String]
  private let values: [String: [String]]

  init(operands: [String], values: [String: [String]]) {
    self.operands = operands
    self.values = values
  }

  func has(_ flag: String) -> Bool { values[flag] != nil }

  /// Returns the value of a flag, the last one if it was repeated.
  func text(_ flag: String) -> String? { values[flag]?.last }

  /// Returns every value of a repeatable flag, in order.
  func texts(_ flag: String) -> [String] { values[flag] ?? [] }

  /// Returns the value of a flag as an integer.
  ///
  /// - Throws: ``CommandError`` if it is none or lies outside `range`.
  func integer(_ flag: String, in range: ClosedRange<Int>) throws(CommandError) -> Int? {
    guard let text = text(flag) else { return nil }
    guard let value = Int(text), range.contains(value) else {
      let expected =
        range.upperBound == .max
        ? "an integer of at least \(range.lowerBound)"
        : "an integer in \(range.lowerBound)...\(range.upperBound)"
      throw .usage("--\(flag): expected \(expected), found '\(text)'")
    }
    return value
  }
}
