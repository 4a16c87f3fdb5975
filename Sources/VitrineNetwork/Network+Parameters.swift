internal import VitrineCore
public import VitrineTensor

extension Network {
  /// The weights, biases and statistics by name: all real constants that are not single numbers.
  public var parameters: [String: Tensor] { graph.parameters }

  /// Returns the same network with other parameters.
  ///
  /// - Parameter tensors: One for each of ``parameters``, of the same shape; real numbers of another
  ///   precision are rounded to the parameter's. Single integers, such as the counters that PyTorch
  ///   keeps in batch normalisation, are ignored.
  /// - Throws: ``NetworkError/parameterMismatch(_:)`` naming what is missing, left over or of another
  ///   shape; what the network's initialiser throws.
  public func replacingParameters(with tensors: [String: Tensor]) throws -> Network {
    try Network(graph.replacingParameters(with: tensors), configuration: configuration)
  }
}

extension Graph {
  /// The weights, biases and statistics by name: all real constants that are not single numbers.
  public var parameters: [String: Tensor] {
    constants.filter { $0.value.dataType.isFloatingPoint && $0.value.rank > 0 }
  }

  /// Returns the same graph with other parameters, as ``Network/replacingParameters(with:)`` does.
  public func replacingParameters(with tensors: [String: Tensor]) throws(NetworkError) -> Graph {
    let own = parameters
    let given = tensors.filter { own[$0.key] != nil || !isCounter($0.value) }
    let missing = own.keys.filter { given[$0] == nil }.sorted()
    let extra = given.keys.filter { own[$0] == nil }.sorted()
    guard missing.isEmpty, extra.isEmpty else {
      throw .parameterMismatch(description(ofMissing: missing, extra: extra))
    }
    var graph = self
    var misfits: [String] = []
    for (name, tensor) in given.sorted(by: { $0.key < $1.key }) {
      guard let parameter = own[name] else { continue }
      if tensor.shape != parameter.shape || !tensor.dataType.isFloatingPoint {
        misfits.append(
          "'\(name)' has shape \(parameter.shape), found \(tensor.dataType) \(tensor.shape)")
      }
      graph.constants[name] = tensor.converted(to: parameter.dataType)
    }
    guard misfits.isEmpty else {
      throw .parameterMismatch(
        misfits.prefix(3).joined(separator: "; ")
          + (misfits.count > 3 ? "; and \(misfits.count - 3) more" : ""))
    }
    return graph
  }

  private func isCounter(_ tensor: Tensor) -> Bool {
    tensor.rank == 0 && !tensor.dataType.isFloatingPoint
  }

  private func description(ofMissing missing: [String], extra: [String]) -> String {
    func list(_ names: [String]) -> String {
      names.prefix(3).map { "'\($0)'" }.joined(separator: ", ")
        + (names.count > 3 ? " and \(names.count - 3) more" : "")
    }
    var parts: [String] = []
    if !missing.isEmpty { parts.append("expected \(list(missing)), which are not there") }
    if !extra.isEmpty { parts.append("found \(list(extra)), which the network does not have") }
    if let name = extra.first, let near = closestName(to: name, among: missing) {
      parts.append("is '\(name)' meant to be '\(near)'?")
    }
    return parts.joined(separator: "; ")
  }
}
