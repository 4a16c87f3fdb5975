internal import VitrineCore
package import VitrineTensor

/// A graph for input shapes: the shape of every value, and the values that depend on no input's
/// elements, already computed.
package struct Specialization: Sendable {
  package let wiring: Wiring
  /// One per value.
  package let types: [ValueType]

  /// Infers shapes and folds constants.
  ///
  /// - Parameters:
  ///   - inputs: Shape of each of the wiring's inputs, with its declared type.
  ///   - real: The precision that real constants get.
  ///   - memoryLimit: Largest number of bytes a single value may have.
  /// - Throws: ``NetworkError/invalidNode(name:kind:reason:)`` or ``NetworkError/memoryLimit``.
  package init<T: RealScalar>(
    _ wiring: Wiring, inputs: [(shape: Shape, dataType: DataType)], real: T.Type, memoryLimit: Int
  ) throws {
    self.wiring = wiring
    var types: [ValueType] = []
    types.reserveCapacity(wiring.values.count)
    for (index, value) in wiring.values.enumerated() {
      switch value.source {
      case .input:
        // Inputs are numbered first.
        types.append(ValueType(inputs[index].shape, inputs[index].dataType))
      case .constant(let tensor):
        types.append(Self.constant(tensor, T.self))
      case .node: types.append(ValueType(Self.unknownShape, .float32))
      }
    }
    var foldedBytes = 0
    for node in wiring.nodes {
      let arguments = node.inputs.map { $0.map { types[$0] } }
      do {
        let results = try node.operation.infer(arguments)
        guard results.count >= node.outputs.count else {
          throw OperatorError("has \(results.count) outputs, the node names \(node.outputs.count)")
        }
        for (output, result) in zip(node.outputs, results) {
          guard let output else { continue }
          types[output] = result.constant.map { Self.constant($0, T.self) } ?? result
          let bytes = result.shape.count * (T.self == Double.self ? 8 : result.dataType.byteCount)
          guard bytes <= memoryLimit else {
            throw NetworkError.memoryLimit(
              needed: bytes, limit: memoryLimit,
              what: "the output of node \(node.name) (\(node.kind), shape \(result.shape))")
          }
        }
        if results.allSatisfy({ $0.constant != nil }) { continue }
        if arguments.allSatisfy({ $0 == nil || $0?.constant != nil }),
          Self.isCheap(node, arguments, results)
        {
          for result in results {
            foldedBytes += result.shape.count * result.dataType.byteCount
          }
          guard foldedBytes <= memoryLimit else {
            throw NetworkError.memoryLimit(
              needed: foldedBytes, limit: memoryLimit, what: "the model's computed constants")
          }
          let constants = arguments.map { $0?.constant }
          for (output, tensor) in zip(node.outputs, try node.operation.evaluate(constants, T.self))
          {
            if let output { types[output] = Self.constant(tensor, T.self) }
          }
        }
      } catch let error as OperatorError {
        throw NetworkError.invalidNode(name: node.name, kind: node.kind, reason: error.reason)
      } catch let error as TensorError {
        throw NetworkError.invalidNode(
          name: node.name, kind: node.kind, reason: error.description)
      }
    }
    self.types = types
  }

  /// Bytes for one sample of what the widest operator reads and writes, with channels in blocks of
  /// 16 as the kernels store them; at least 1.
  package var widestOperatorBytes: Int {
    func bytes(_ value: Int?) -> Int {
      guard let value, types[value].constant == nil else { return 0 }
      let shape = types[value].shape
      let samples = max(1, shape.dimensions.first ?? 1)
      guard shape.rank == 4, shape[1] > 0 else { return shape.count / samples * 4 }
      return shape.count / samples / shape[1] * ((shape[1] + 15) / 16 * 16) * 4
    }
    return wiring.nodes.reduce(1) { widest, node in
      max(widest, (node.inputs + node.outputs).reduce(0) { $0 + bytes($1) })
    }
  }

  /// How many samples, or cotangents, are best run together: as many as keep the values around the
  /// widest operator within the processor's cache. More would run slower, not faster.
  package var samplesInCache: Int {
    // Leaves room for weights in a third-level cache of 32 MiB.
    let cacheBytes = 20 << 20
    return max(1, min(256, cacheBytes / widestOperatorBytes))
  }

  /// Whether the value is known without running anything.
  package func isConstant(_ value: Int) -> Bool { types[value].constant != nil }

  private static func constant<T: RealScalar>(_ tensor: Tensor, _: T.Type) -> ValueType {
    guard tensor.dataType.isFloatingPoint else { return ValueType(constant: tensor) }
    return ValueType(tensor.shape, .float32, constant: tensor.converted(to: T.dataType))
  }

  /// Whether computing a constant takes a few seconds at most; if not, it is left to the run.
  ///
  /// All operators but products take time in proportion to their inputs and outputs.
  private static func isCheap(
    _ node: Wiring.Node, _ inputs: [ValueType?], _ outputs: [ValueType]
  ) -> Bool {
    guard node.operation is MatMul || node.operation is Gemm || node.operation is Convolution,
      let left = inputs.first.flatMap({ $0 })?.shape, let output = outputs.first?.shape
    else { return true }
    let terms =
      node.operation is Convolution
      ? inputs.dropFirst().first.flatMap { $0 }.map { $0.shape.count / max(1, $0.shape[0]) } ?? 1
      : left.dimensions.max() ?? 1
    let (work, overflow) = output.count.multipliedReportingOverflow(by: terms)
    return !overflow && work <= 1 << 32
  }

  private static let unknownShape: Shape = {
    guard let shape = try? Shape([]) else { preconditionFailure("[] is a valid shape") }
    return shape
  }()
}
