import VitrineCore
import VitrineTensor

/// Derivatives of some elements of a site with respect to single elements of an input, from
/// (F(x + ε) − F(x − ε)) / 2ε.
struct CentralDifferences {
  private let model: any Model
  private let inputs: Inputs
  private let site: Site
  /// Flat indices of the differentiated elements within a sample.
  private let elements: [Int]
  private let step: Double?

  /// - Parameter step: ε; `nil` for the cube root of the rounding error of what the model computes,
  ///   where the errors of curvature and of rounding are alike.
  init(
    of site: Site, elements: [Int], _ model: any Model, at inputs: Inputs, step: Double?
  ) {
    (self.model, self.inputs, self.site) = (model, inputs, site)
    (self.elements, self.step) = (elements, step)
  }

  /// Returns the column of the Jacobian that belongs to one element of each sample, `[sample, output]`.
  ///
  /// The samples are independent, so that the element moves in all of them at once.
  func column(_ index: Int, of port: Port, type: DataType) throws -> [[Double]] {
    guard let center = inputs[port.name] else {
      throw CoreError.inputCount(expected: [port.name], found: 0)
    }
    let batch = port.batchAxis
    let samples = batch.map { center.shape[$0] } ?? 1
    // Elements of a sample are counted with the batch axis left out, wherever it lies.
    let inner = batch.map { center.shape.strides[$0] } ?? center.count
    let (outer, rest) = index.quotientAndRemainder(dividingBy: max(inner, 1))
    let numbers = try center.converted(to: .float64).elements(of: Double.self)
    let epsilon = step ?? (type == .float64 ? 1e-5 : 4e-3)
    var ends: [[[Double]]] = []
    var positions: [[Double]] = []
    for sign in [1.0, -1.0] {
      var moved = numbers
      for n in 0..<samples { moved[(outer * samples + n) * inner + rest] += sign * epsilon }
      // The step that remains after rounding to the model's type is the one to divide by.
      let tensor = try Tensor(moved, shape: center.shape.dimensions).converted(to: type)
      let rounded = try tensor.converted(to: .float64).elements(of: Double.self)
      positions.append((0..<samples).map { rounded[(outer * samples + $0) * inner + rest] })
      let value = try model.evaluate(
        inputs.replacing(port.name, with: tensor), observing: [site])[0]
      let results = try value.converted(to: .float64).elements(of: Double.self)
      let perSample = results.count / max(samples, 1)
      ends.append(
        (0..<samples).map { n in elements.map { results[n * perSample + $0] } })
    }
    return (0..<samples).map { n in
      let width = positions[0][n] - positions[1][n]
      return zip(ends[0][n], ends[1][n]).map { width > 0 ? ($0 - $1) / width : 0 }
    }
  }
}

extension InputJacobian {
  /// Returns the whole Jacobian from central differences.
  ///
  /// - Complexity: Two forward passes for each element of one sample of each input.
  func centralDifferences(
    of site: Site, _ elements: [Int], _ model: any Model, _ ports: [Port], at inputs: Inputs,
    _ context: Context
  ) throws -> Jacobian {
    let value = try model.evaluate(inputs, observing: [site])[0]
    let samples = max(value.rank > 0 ? value.shape[0] : 1, 1)
    let perSample = value.count / samples
    let numbers = try value.converted(to: .float64).elements(of: Double.self)
    let values = (0..<samples).flatMap { n in elements.map { numbers[n * perSample + $0] } }
    let differences = CentralDifferences(
      of: site, elements: elements, model, at: inputs, step: epsilon)
    let total = ports.reduce(0) { $0 + elementsPerSample(of: inputs[$1.name], $1) }
    var done = 0
    let tensors = try ports.map { port in
      let count = elementsPerSample(of: inputs[port.name], port)
      var rows = [Double](repeating: 0, count: samples * elements.count * count)
      for index in 0..<count {
        try context.checkCancellation()
        let column = try differences.column(index, of: port, type: value.dataType)
        for (n, outputs) in column.enumerated() {
          for (k, derivative) in outputs.enumerated() {
            rows[(n * elements.count + k) * count + index] = derivative
          }
        }
        done += 1
        context.progress(done, of: total, "elements")
      }
      let shape =
        inputs[port.name]?.shape.dimensions.enumerated().filter { $0.offset != port.batchAxis }
        .map(\.element) ?? []
      return try Tensor(rows, shape: [samples, elements.count] + shape)
        .converted(to: value.dataType)
    }
    return Jacobian(
      values: try Tensor(values, shape: [samples, elements.count]).converted(to: value.dataType),
      tensors: tensors)
  }

  /// Compares random columns of a Jacobian with central differences.
  func comparison(
    of jacobian: Jacobian, at site: Site, _ elements: [Int], _ model: any Model, _ ports: [Port],
    _ inputs: Inputs, _ context: Context
  ) throws -> [(name: String, value: Explanation.Diagnostic)] {
    let differences = CentralDifferences(
      of: site, elements: elements, model, at: inputs, step: epsilon)
    let counts = ports.map { elementsPerSample(of: inputs[$0.name], $0) }
    let total = counts.reduce(0, +)
    var generator = RandomGenerator(seed: context.seed)
    let chosen =
      compare >= total
      ? Array(0..<total) : Array(generator.shuffledIndices(total).prefix(compare)).sorted()
    let rows = try jacobian.tensors.map {
      try $0.converted(to: .float64).elements(of: Double.self)
    }
    var largest = 0.0
    var scale = 0.0
    var lines: [String] = []
    for (done, position) in chosen.enumerated() {
      try context.checkCancellation()
      var (input, index) = (0, position)
      while index >= counts[input] {
        index -= counts[input]
        input += 1
      }
      let column = try differences.column(
        index, of: ports[input], type: jacobian.values.dataType)
      for (n, outputs) in column.enumerated() {
        for (k, difference) in outputs.enumerated() {
          let exact = rows[input][(n * elements.count + k) * counts[input] + index]
          largest = max(largest, abs(exact - difference))
          scale = max(scale, abs(exact), abs(difference))
          if n == 0 {
            lines.append(
              "d output[\(elements[k])] / d \(ports[input].name)[\(index)]: autodiff \(exact), "
                + "difference \(difference)")
          }
        }
      }
      context.progress(done + 1, of: chosen.count, "comparisons")
    }
    return [
      ("compared-elements", .number(Double(chosen.count))),
      ("largest-difference", .number(largest)),
      ("largest-relative-difference", .number(scale > 0 ? largest / scale : 0)),
      ("comparison", .texts(lines)),
    ]
  }
}
