public import VitrineTensor

/// The inputs of a model that hold real numbers: those with respect to which derivatives exist.
///
/// Gradient methods ask ``Model/realInputs()`` what to differentiate with respect to, and turn what they
/// get into one attribution for each input. Inputs of integers, such as token indices, are left out, and
/// the explanation says so in its warnings.
public struct RealInputs: Sendable {
  /// At least one, in the order of ``Signature/inputs``.
  public let ports: [Port]
  /// One sentence for each input that was left out.
  public let warnings: [String]

  /// The inputs as sites, in the order of ``ports``.
  public var sites: [Site] { ports.map { .input($0.name) } }

  /// Returns the attributions for tensors that belong to ``ports``, one each.
  ///
  /// - Parameters:
  ///   - tensors: Each with one axis for each axis of its port, and one more for `rowAxis`.
  ///   - rowAxis: An axis that the tensors have after the batch, such as ``Axis/output`` for the rows
  ///     of a Jacobian.
  ///   - range: What the numbers can be.
  /// - Returns: Attributions named `attribution` for a single input, by the input's name for several.
  /// - Throws: ``CoreError/shapeMismatch(what:expected:found:)`` for a tensor of another rank,
  ///   ``CoreError/notFinite(_:)`` for one that holds NaN or infinity.
  public func attributions(
    of tensors: [Tensor], rowAxis: Axis? = nil, range: Attribution.Range
  ) throws -> [Attribution] {
    guard tensors.count == ports.count else {
      throw CoreError.inputCount(expected: ports.map(\.name), found: tensors.count)
    }
    return try zip(ports, tensors).map { port, tensor in
      let axes =
        rowAxis.map { [.batch, $0] + port.axes.filter { $0 != .batch } } ?? port.axes
      guard tensor.rank == axes.count else {
        throw CoreError.shapeMismatch(
          what: "attribution of input '\(port.name)' with axes "
            + axes.map(\.rawValue).joined(separator: ", "),
          expected: port.dimensions.map { $0 ?? 1 }, found: tensor.shape.dimensions)
      }
      try tensor.requireFinite("the attribution of input '\(port.name)'")
      return Attribution(
        name: ports.count == 1 ? "attribution" : port.name, tensor: tensor, axes: axes,
        range: range)
    }
  }
}

extension Model {
  /// Returns the inputs with respect to which derivatives exist.
  ///
  /// - Throws: ``CoreError/notApplicable(_:)`` if there are none.
  public func realInputs() throws(CoreError) -> RealInputs {
    let ports = signature.inputs.filter(\.dataType.isFloatingPoint)
    let integers = signature.inputs.filter { !$0.dataType.isFloatingPoint }
    guard !ports.isEmpty else {
      throw .notApplicable(
        "no input of the model holds real numbers, so none has a gradient; explain a layer instead"
          + (integers.compactMap { embedding(of: $0.name) }.first.map {
            ", or differentiate with respect to the output of the embedding '\($0)'"
          } ?? ""))
    }
    let warnings = integers.map { port in
      "Input '\(port.name)' holds \(port.dataType) numbers and has no gradient: it is left out."
        + (embedding(of: port.name).map { " The output of its embedding, layer '\($0)', has one." }
          ?? "")
    }
    return RealInputs(ports: ports, warnings: warnings)
  }
}
