public import VitrineCore
public import VitrineTensor

/// A score from somewhere else: another process, a web service, a formula. All that is known of it is its
/// answer to a row of numbers.
public struct ScoringService: Model {
  public let signature: Signature
  public let layers: [Layer] = []
  private let answer: @Sendable ([Double]) throws -> Double

  /// Creates a model of a table with one score for each row.
  ///
  /// - Parameters:
  ///   - columns: How many numbers a row has.
  ///   - answer: The score of a row; may be called from any thread.
  public init(columns: Int, answer: @escaping @Sendable ([Double]) throws -> Double) {
    self.answer = answer
    signature = Signature(
      inputs: [
        Port(
          name: "row", dataType: .float64, dimensions: [nil, columns], axes: [.batch, .feature])
      ],
      outputs: [
        Port(name: "score", dataType: .float64, dimensions: [nil, 1], axes: [.batch, .feature])
      ])
  }

  public func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    guard let table = inputs["row"] else {
      throw CoreError.inputCount(expected: ["row"], found: inputs.tensors.count)
    }
    let columns = signature.inputs[0].dimensions[1] ?? 0
    guard table.rank == 2, table.shape[1] == columns else {
      throw CoreError.shapeMismatch(
        what: "input 'row'", expected: [table.shape.dimensions.first ?? 1, columns],
        found: table.shape.dimensions)
    }
    let numbers = try table.converted(to: .float64).elements(of: Double.self)
    var scores: Tensor?
    return try sites.map { site in
      switch site {
      case .input("row"): return table
      case .output("score"):
        if let scores { return scores }
        let rows = stride(from: 0, to: numbers.count, by: columns)
        let answers = try rows.map { try answer(Array(numbers[$0..<$0 + columns])) }
        let tensor = try Tensor(answers, shape: [table.shape[0], 1])
        scores = tensor
        return tensor
      default:
        throw CoreError.unknownName(
          what: "site", name: site.name,
          suggestion: closestName(to: site.name, among: ["row", "score"]),
          known: ["row", "score"])
      }
    }
  }
}
