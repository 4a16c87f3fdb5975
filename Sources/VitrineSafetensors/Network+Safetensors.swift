public import VitrineNetwork

extension Network {
  /// Returns the same network with the parameters in a safetensors file.
  ///
  /// ```swift
  /// let trained = try network.loadingParameters(contentsOf: "weights.safetensors")
  /// ```
  ///
  /// - Throws: ``SafetensorsError`` for the file; ``NetworkError/parameterMismatch(_:)`` if names or
  ///   shapes are not those of ``parameters``.
  public func loadingParameters(contentsOf path: String) throws -> Network {
    try replacingParameters(with: Safetensors.tensors(contentsOf: path))
  }

  /// Writes the network's parameters by name as a safetensors file.
  ///
  /// - Throws: ``SafetensorsError/cannotWrite(_:)``.
  public func writeParameters(to path: String) throws(SafetensorsError) {
    try Safetensors.write(parameters, to: path)
  }
}
