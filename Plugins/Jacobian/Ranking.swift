import VitrineCore
import VitrineTensor

extension InputJacobian {
  /// Returns which elements of the first sample change each output most, and which least.
  ///
  /// Elements are flat indices into a sample; of equally strong ones the lowest index comes first.
  ///
  /// - Complexity: O(n) for the n elements of a row, as long as few are listed.
  func rankings(
    of jacobian: Jacobian, _ elements: [Int], _ ports: [Port]
  ) throws -> [(name: String, value: Explanation.Diagnostic)] {
    var most: [String] = []
    var least: [String] = []
    for (port, tensor) in zip(ports, jacobian.tensors) {
      let samples = max(tensor.shape.dimensions.first ?? 1, 1)
      guard !elements.isEmpty, tensor.count > 0 else { continue }
      let count = tensor.count / (samples * elements.count)
      let rows = try tensor.converted(to: .float64).elements(of: Double.self)
      for (k, element) in elements.enumerated() {
        let start = k * count
        let row = rows[start..<start + count]
        most.append(line(element, port, row, strongest(of: row, by: >)))
        least.append(line(element, port, row, strongest(of: row, by: <)))
      }
    }
    return [("most-influential", .texts(most)), ("least-influential", .texts(least))]
  }

  private func line(
    _ element: Int, _ port: Port, _ row: ArraySlice<Double>, _ indices: [Int]
  ) -> String {
    "output \(element): "
      + indices.map { "\(port.name)[\($0 - row.startIndex)] \(row[$0])" }.joined(separator: ", ")
  }

  /// Returns the first ``ranking`` positions in the order of their magnitudes.
  private func strongest(
    of row: ArraySlice<Double>, by precedes: (Double, Double) -> Bool
  ) -> [Int] {
    var best: [Int] = []
    for i in row.indices {
      let magnitude = row[i].magnitude
      if best.count == ranking, !precedes(magnitude, row[best[ranking - 1]].magnitude) { continue }
      let place = best.firstIndex { precedes(magnitude, row[$0].magnitude) } ?? best.count
      best.insert(i, at: place)
      if best.count > ranking { best.removeLast() }
    }
    return best
  }
}
