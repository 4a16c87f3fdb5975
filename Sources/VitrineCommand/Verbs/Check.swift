import VitrineCore
import VitrineNetwork
import VitrineONNX
import VitrineReport
import VitrineSafetensors
import VitrineTensor

extension Verb {
  /// `vitrine check`
  static let check = Verb(
    "check",
    summary: "compare the parameters of two models, name by name",
    operands: .exactly(["A", "B"]),
    flags: [
      CommonFlags.json,
      Flag(
        "tolerance", .value("X"), default: "0",
        help: "Largest absolute difference that still counts as the same."),
    ] + CommonFlags.messages,
    examples: [
      Example(
        command: "vitrine check trained.onnx saved.safetensors",
        purpose: "whether a saved model is the one that was trained")
    ],
    notes: [
      "A and B are ONNX files, or safetensors files with that ending. The exit code is 0 if both have "
        + "the same parameters, 1 if not; then the message says which one differs, and by how much."
    ]
  ) { invocation, session in
    var tolerance = 0.0
    if let text = invocation.text("tolerance") {
      guard let value = Double(text), value >= 0, value.isFinite else {
        throw CommandError.usage("--tolerance: expected a number of at least 0, found '\(text)'")
      }
      tolerance = value
    }
    let paths = invocation.operands
    let first = try parameters(contentsOf: paths[0])
    try session.checkCancellation()
    let second = try parameters(contentsOf: paths[1])
    try session.checkCancellation()
    let comparison = ParameterComparison(
      (FileName.last(of: paths[0]), first), (FileName.last(of: paths[1]), second),
      tolerance: tolerance)
    if invocation.has("json") {
      try session.write(comparison.json.text)
    } else if comparison.difference == nil {
      try session.write(comparison.agreement + "\n")
    }
    if let difference = comparison.difference {
      throw CommandError(.different, code: "different", difference)
    }
  }

  private static func parameters(contentsOf path: String) throws -> [String: Tensor] {
    do {
      return path.lowercased().hasSuffix(".safetensors")
        // Single integers are counters that PyTorch keeps, not parameters.
        ? try Safetensors.tensors(contentsOf: path).filter {
          $0.value.rank > 0 || $0.value.dataType.isFloatingPoint
        }
        : try ONNX.graph(contentsOf: path).parameters
    } catch {
      throw CommandError(error).naming(FileName.last(of: path))
    }
  }
}

/// How the parameters of two models differ.
struct ParameterComparison {
  /// The largest absolute difference of one parameter; infinity where only one of both is NaN.
  private struct Distance {
    let name: String
    let largest: Double
  }

  private typealias Side = (file: String, parameters: [String: Tensor])

  private let sides: (Side, Side)
  private let tolerance: Double
  private let elements: (Int, Int)
  /// Names that only one side has.
  private let only: ([String], [String])
  private let misshapen: [String]
  private let worst: Distance?

  init(
    _ first: (String, [String: Tensor]), _ second: (String, [String: Tensor]), tolerance: Double
  ) {
    let (a, b) = (first.1, second.1)
    sides = (first, second)
    self.tolerance = tolerance
    elements = (a.values.reduce(0) { $0 + $1.count }, b.values.reduce(0) { $0 + $1.count })
    only = (
      a.keys.filter { b[$0] == nil }.sorted(), b.keys.filter { a[$0] == nil }.sorted()
    )
    var misshapen: [String] = []
    var worst: Distance?
    for name in a.keys.sorted() {
      guard let left = a[name], let right = b[name] else { continue }
      guard left.shape == right.shape else {
        misshapen.append(name)
        continue
      }
      let largest = largestDifference(left, right)
      if largest > worst?.largest ?? -1 { worst = Distance(name: name, largest: largest) }
    }
    self.misshapen = misshapen
    self.worst = worst
  }

  /// One line that says how they agree.
  var agreement: String {
    "\(sides.0.file.visible) and \(sides.1.file.visible) agree: "
      + "\(Number.grouped(elements.0)) parameters in \(sides.0.parameters.count) tensors, largest "
      + "absolute difference \(Number.significant(worst?.largest ?? 0))"
  }

  /// What differs and by how much; `nil` if nothing does.
  var difference: String? {
    let (a, b) = sides
    for (names, file, other) in [(only.0, a.file, b.file), (only.1, b.file, a.file)] {
      guard let name = names.first else { continue }
      return "parameters differ: \(a.file) has \(Number.grouped(elements.0)), \(b.file) "
        + "\(Number.grouped(elements.1)); '\(name)'"
        + (names.count > 1 ? " and \(names.count - 1) more are" : " is")
        + " in \(file) only, not in \(other)"
    }
    if let name = misshapen.first, let left = a.parameters[name], let right = b.parameters[name] {
      return "parameter '\(name)' differs: shape \(left.shape) in \(a.file), \(right.shape) in "
        + b.file
    }
    guard let worst, worst.largest > tolerance else { return nil }
    return "parameter '\(worst.name)' differs: largest absolute difference "
      + "\(Number.significant(worst.largest)), allowed \(Number.significant(tolerance))"
  }

  var json: JSON {
    .object([
      "schema": .integer(1),
      "verb": .string("check"),
      "files": .strings([sides.0.file, sides.1.file]),
      "same": .bool(difference == nil),
      "parameters": .integers([elements.0, elements.1]),
      "tensors": .integers([sides.0.parameters.count, sides.1.parameters.count]),
      "tolerance": .number(tolerance),
      "largest_difference": worst.map { .number($0.largest) },
      "largest_difference_in": worst.map { .string($0.name) },
      "other_shape": .strings(misshapen),
      "only_in_first": .strings(only.0),
      "only_in_second": .strings(only.1),
      "difference": difference.map { .string($0) } ?? .null,
    ])
  }
}

/// Returns the largest absolute difference of two tensors of one shape; infinity where only one of two
/// elements is NaN.
private func largestDifference(_ a: Tensor, _ b: Tensor) -> Double {
  if a == b { return 0 }
  let numbers = [a, b].map { tensor in
    (try? tensor.converted(to: .float64).elements(of: Double.self)) ?? []
  }
  return zip(numbers[0], numbers[1]).reduce(0) { largest, pair in
    if pair.0 == pair.1 || (pair.0.isNaN && pair.1.isNaN) { return largest }
    let difference = abs(pair.0 - pair.1)
    return max(largest, difference.isNaN ? .infinity : difference)
  }
}
