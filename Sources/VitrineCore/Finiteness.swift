public import VitrineTensor

extension Tensor {
  /// Throws if an element is NaN or infinite; integers and booleans never are.
  ///
  /// - Parameter what: Names the tensor in the error: `the gradient of input 'image'`.
  /// - Throws: ``CoreError/notFinite(_:)``.
  /// - Complexity: O(`count`).
  public func requireFinite(_ what: String) throws {
    let isFinite =
      switch dataType {
      case .float32: try withElements(of: Float.self) { $0.allSatisfy(\.isFinite) }
      case .float64: try withElements(of: Double.self) { $0.allSatisfy(\.isFinite) }
      case .int64, .bool: true
      }
    guard isFinite else { throw CoreError.notFinite(what) }
  }
}
