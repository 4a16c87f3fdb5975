import VitrineCore
import VitrineTensor

extension InputJacobian {
  /// Tangents of one call: each call repeats the forward pass.
  private static let tangentsAtOnce = 64

  /// Returns why forward mode cannot be had, in words that say what to do; `nil` if it can.
  func forwardModeObstacle(_ model: any Model, to site: Site) -> String? {
    guard let model = model as? any Differentiable else { return "the model has no derivatives" }
    return model.forwardModeObstacle(to: site)
  }

  /// Returns the whole Jacobian column by column: one tangent for each element of a sample, in all samples
  /// at once, since they are independent.
  ///
  /// - Complexity: One or two forward passes for each element of one sample of each input.
  func forwardJacobian(
    of site: Site, _ elements: [Int], _ model: any Differentiable, _ ports: [Port],
    at inputs: Inputs, _ context: Context
  ) throws -> Jacobian {
    if let obstacle = model.forwardModeObstacle(to: site) {
      throw CoreError.notApplicable("mode=forward: \(obstacle); use mode=reverse")
    }
    let value = try model.evaluate(inputs, observing: [site])[0]
    let samples = max(value.rank > 0 ? value.shape[0] : 1, 1)
    let perSample = value.count / samples
    let numbers = try value.converted(to: .float64).elements(of: Double.self)
    let values = (0..<samples).flatMap { n in elements.map { numbers[n * perSample + $0] } }
    let total = ports.reduce(0) { $0 + elementsPerSample(of: inputs[$1.name], $1) }
    var done = 0
    let tensors = try ports.map { port in
      guard let input = inputs[port.name] else {
        throw CoreError.inputCount(expected: ports.map(\.name), found: inputs.tensors.count)
      }
      let count = elementsPerSample(of: input, port)
      var rows = [Double](repeating: 0, count: samples * elements.count * count)
      for start in stride(from: 0, to: count, by: Self.tangentsAtOnce) {
        try context.checkCancellation()
        let indices = start..<min(start + Self.tangentsAtOnce, count)
        let tangents = try indices.map { index in
          Inputs([(port.name, try unit(index, like: input, port, type: value.dataType))])
        }
        let derivatives = try model.directionalDerivatives(
          of: site, along: tangents, at: inputs, context: context.silent)
        for (index, derivative) in zip(indices, derivatives) {
          guard derivative.shape == value.shape else {
            throw CoreError.shapeMismatch(
              what: "derivative of \(site)", expected: value.shape.dimensions,
              found: derivative.shape.dimensions)
          }
          let column = try derivative.converted(to: .float64).elements(of: Double.self)
          for n in 0..<samples {
            for (k, element) in elements.enumerated() {
              rows[(n * elements.count + k) * count + index] = column[n * perSample + element]
            }
          }
        }
        done += indices.count
        context.progress(done, of: total, "inputs")
      }
      let shape = input.shape.dimensions.enumerated().filter { $0.offset != port.batchAxis }
        .map(\.element)
      return try Tensor(rows, shape: [samples, elements.count] + shape)
        .converted(to: value.dataType)
    }
    return Jacobian(
      values: try Tensor(values, shape: [samples, elements.count]).converted(to: value.dataType),
      tensors: tensors)
  }

  /// Returns 1 at one element of every sample, 0 elsewhere.
  private func unit(
    _ index: Int, like input: Tensor, _ port: Port, type: DataType
  ) throws -> Tensor {
    // Elements of a sample are counted with the batch axis left out, wherever it lies.
    let inner = port.batchAxis.map { input.shape.strides[$0] } ?? max(input.count, 1)
    let samples = port.batchAxis.map { input.shape[$0] } ?? 1
    let (outer, rest) = index.quotientAndRemainder(dividingBy: inner)
    var numbers = [Double](repeating: 0, count: input.count)
    for n in 0..<samples { numbers[(outer * samples + n) * inner + rest] = 1 }
    return try Tensor(numbers, shape: input.shape.dimensions).converted(to: type)
  }
}
