import VitrineTensor

/// How gradients are kept small before a step.
public enum Clipping: Sendable, Hashable {
  /// All gradients together are scaled so that their Euclidean norm is at most this (Pascanu, Mikolov,
  /// Bengio 2013).
  case norm(Double)
  /// Each element is moved into −limit...limit.
  case value(Double)

  /// Changes gradients of type `T` in place.
  func apply<T: RealScalar>(to gradients: inout [Tensor], _: T.Type) throws {
    switch self {
    case .norm(let limit):
      let norm = try Self.norm(of: gradients, T.self)
      guard norm > limit else { return }
      // PyTorch divides by the norm plus 1e-6, too.
      let factor = T(limit / (norm + 1e-6))
      for index in gradients.indices {
        try gradients[index].withMutableElements(of: T.self) { g in
          for i in g.indices { g[i] *= factor }
        }
      }
    case .value(let limit):
      let limit = T(limit)
      for index in gradients.indices {
        try gradients[index].withMutableElements(of: T.self) { g in
          for i in g.indices { g[i] = min(max(g[i], -limit), limit) }
        }
      }
    }
  }

  func check() throws {
    switch self {
    case .norm(let limit), .value(let limit):
      guard limit > 0 else {
        throw TrainingError.invalidSetting(
          name: "gradient clipping", expected: "a positive number", found: "\(limit)")
      }
    }
  }

  /// Returns the Euclidean norm of all elements together.
  static func norm<T: RealScalar>(of gradients: [Tensor], _: T.Type) throws -> Double {
    var sum = 0.0
    for gradient in gradients {
      try gradient.withElements(of: T.self) { g in
        for element in g { sum += Double(element) * Double(element) }
      }
    }
    return sum.squareRoot()
  }
}
