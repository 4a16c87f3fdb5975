public import VitrineTensor

/// Returns ‖a − b‖₂ / ‖b‖₂ over all elements, in double precision; ‖a‖₂ if b is zero.
///
/// - Returns: Infinity if the numbers of elements differ or an element of either is not finite.
public func relativeDistance(_ a: Tensor, _ b: Tensor) throws -> Double {
  guard a.count == b.count else { return .infinity }
  let left = try a.converted(to: .float64).elements(of: Double.self)
  let right = try b.converted(to: .float64).elements(of: Double.self)
  let difference = zip(left, right).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
  let norm = right.reduce(0) { $0 + $1 * $1 }
  let distance = (norm > 0 ? difference / norm : difference).squareRoot()
  return distance.isFinite ? distance : .infinity
}
