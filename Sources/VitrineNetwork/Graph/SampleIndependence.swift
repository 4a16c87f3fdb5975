internal import VitrineTensor

extension Specialization {
  /// Whether every value computed from the inputs counts `samples` along its first axis, and row `n` of
  /// each depends on row `n` of the inputs only: a batch may then be cut anywhere.
  ///
  /// Errs on the side of no: an operator that is not listed is taken to mix samples.
  ///
  /// - Parameter samples: At least 2; with one sample there is nothing to mix.
  package func keepsSamplesApart(_ samples: Int) -> Bool {
    let depends = wiring.dependents(of: wiring.inputs)
    let hasRows = { (value: Int) in types[value].shape.dimensions.first == samples }
    guard wiring.inputs.allSatisfy(hasRows) else { return false }
    for node in wiring.nodes {
      let isDependent = node.inputs.map { $0.map { depends[$0] } ?? false }
      guard isDependent.contains(true) else { continue }
      for case let output? in node.outputs {
        // Shapes are known without the elements: they mix nothing.
        if types[output].constant != nil { continue }
        guard hasRows(output), keepsRows(node, isDependent, output: output, samples: samples)
        else { return false }
      }
    }
    return true
  }

  private func keepsRows(
    _ node: Wiring.Node, _ isDependent: [Bool], output: Int, samples: Int
  ) -> Bool {
    let inputs = node.inputs.map { $0.map { types[$0] } }
    let rank = types[output].shape.rank
    guard let first = inputs.first, let data = first else { return false }

    /// A dependent operand has the output's rank, so that broadcasting leaves its first axis first;
    /// another operand is the same for every row.
    func broadcastsRows() -> Bool {
      zip(inputs, isDependent).allSatisfy { input, isDependent in
        guard let input else { return true }
        if isDependent { return input.shape.rank == rank && input.shape[0] == samples }
        return input.shape.rank < rank || input.shape[0] == 1
      }
    }
    /// Only the first operand carries samples.
    let onlyFirst = isDependent[0] && !isDependent.dropFirst().contains(true)

    switch node.operation {
    case is Arithmetic, is VariadicArithmetic, is Comparison, is Logic, is Where, is PRelu, is Clip:
      return broadcastsRows()
    case is any Activation, is ElementaryFunction, is Not, is IsNaN, is Cast, is CastLike,
      is Dropout,
      is Convolution, is MaxPool, is AveragePool, is GlobalAveragePool, is GlobalMaxPool,
      is BatchNormalization, is LocalResponseNormalization, is InstanceNormalization,
      is GroupNormalization:
      return onlyFirst
    case is any Reshaping:
      // Row-major order is kept, and as many rows means rows of as many elements.
      return onlyFirst
    case let gemm as Gemm:
      let summand = inputs.count > 2 ? inputs[2] : nil
      return onlyFirst && !gemm.transposesA
        && (summand.map { $0.shape.rank < 2 || $0.shape[0] == 1 } ?? true)
    case is MatMul:
      guard inputs.count == 2, let right = inputs[1] else { return false }
      if onlyFirst { return data.shape.rank >= 2 && right.shape.rank <= 2 }
      return isDependent[0] && isDependent[1] && data.shape.rank >= 3
        && data.shape.rank == right.shape.rank
    case let normalization as LayerNormalization:
      return onlyFirst && !isFirst(normalization.axis, rank)
    case let softmax as Softmax: return onlyFirst && !isFirst(softmax.axis.axis, rank)
    case let softmax as LogSoftmax: return onlyFirst && !isFirst(softmax.axis.axis, rank)
    case let reduction as Reduction:
      guard onlyFirst, let axes = try? reduction.axes(for: inputs) else { return false }
      return !axes.contains(0)
    case let extremum as ExtremumIndex: return !isFirst(extremum.axis, data.shape.rank)
    case let concat as Concat:
      return !isFirst(concat.axis, rank) && !isDependent.contains(false)
    case let split as Split: return onlyFirst && !isFirst(split.axis, rank)
    case let gather as Gather: return onlyFirst && !isFirst(gather.axis, data.shape.rank)
    case let pad as Pad: return (try? onlyFirst && pad.keepsFirstAxis(inputs)) ?? false
    case let viewing as any Viewing:
      guard onlyFirst, let (view, shape) = try? viewing.view(inputs) else { return false }
      return shape.dimensions.first == view.extents.first
        && view.keepsRows(samples, of: data.shape.count / samples)
    default: return false
    }
  }

  private func isFirst(_ axis: Int, _ rank: Int) -> Bool { axis == 0 || axis == -rank }
}

extension AffineView {
  /// Whether row `n` of the view looks at row `n` of the tensor only.
  fileprivate func keepsRows(_ rows: Int, of length: Int) -> Bool {
    guard extents.first == rows, strides.first == length else { return false }
    var low = offset
    var high = offset
    for (extent, stride) in zip(extents, strides).dropFirst() where extent > 0 {
      let reach = (extent - 1) * stride
      low += min(0, reach)
      high += max(0, reach)
    }
    return low >= 0 && high < length
  }
}
