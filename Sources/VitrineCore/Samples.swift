package import VitrineTensor

extension Model {
  public var takesBatches: Bool {
    signature.inputs.allSatisfy { $0.batchAxis == 0 && $0.dimensions.first == .some(nil) }
  }
}

extension Objective {
  /// Returns the objective for a batch put together from samples of this one's batch.
  ///
  /// - Parameters:
  ///   - samples: Which sample each row of the new batch is, in `0..<total`.
  ///   - total: Number of samples this objective is for.
  /// - Throws: ``CoreError/targetCount(expected:found:)`` or
  ///   ``CoreError/shapeMismatch(what:expected:found:)`` if it is not for `total` samples.
  public func selecting(_ samples: [Int], of total: Int) throws -> Objective {
    switch form {
    case .elements(let elements) where elements.count != 1:
      guard elements.count == total else {
        throw CoreError.targetCount(expected: total, found: elements.count)
      }
      return Objective(site, .elements(samples.map { elements[$0] }))
    case .cotangent(let tensor):
      guard tensor.shape.dimensions.first == total else {
        throw CoreError.shapeMismatch(
          what: "samples of the cotangent of \(site)", expected: [total],
          found: Array(tensor.shape.dimensions.prefix(1)))
      }
      return Objective(site, .cotangent(try tensor.rows(samples)))
    case .elements, .weighted, .channelMean, .sum, .mean: return self
    }
  }
}

/// How many rows one call of a model may have when a method needs many calls.
struct RowLimit {
  /// Samples in the inputs; `nil` if the model must be called with the inputs as they come: it takes no
  /// batches, or the inputs do not agree on the number of samples, which the model then refuses.
  let samples: Int?
  /// At least 1.
  let rows: Int

  /// Beyond this many, larger batches no longer run faster and no longer fit the caches.
  private static let most = 16
  /// What a model's inner values are assumed to need, in sizes of its input: more than most image
  /// networks do.
  private static let sizesOfInput = 32

  init(_ model: some Model, at inputs: Inputs, memoryLimit: Int) {
    let counts = Set(inputs.tensors.map { $0.value.shape.dimensions.first ?? 0 })
    guard model.takesBatches, counts.count == 1, let samples = counts.first, samples > 0 else {
      self.samples = nil
      rows = 1
      return
    }
    let bytes = inputs.tensors.reduce(0) {
      $0 + $1.value.count / samples * DataType.float64.byteCount
    }
    self.samples = samples
    rows = min(max(memoryLimit / max(bytes, 1) / Self.sizesOfInput, 1), Self.most)
  }
}

extension Inputs {
  /// Returns a batch put together from some of the samples, batch axis first in every tensor.
  func rows(_ samples: [Int]) throws -> Inputs {
    Inputs(try tensors.map { ($0.name, try $0.value.rows(samples)) })
  }
}

extension Tensor {
  /// Returns copies of positions of the first axis, in the order given.
  ///
  /// - Precondition: The tensor has a first axis, and every position is inside it.
  package func rows(_ positions: [Int]) throws -> Tensor {
    if positions.elementsEqual(0..<shape[0]) { return self }
    var result = Tensor(
      zeros: try Shape([positions.count] + shape.dimensions.dropFirst()), dataType)
    let bytes = count / Swift.max(shape[0], 1) * dataType.byteCount
    result.withMutableBytes { target in
      withBytes { source in
        for (row, position) in positions.enumerated() {
          UnsafeMutableRawBufferPointer(rebasing: target[row * bytes..<(row + 1) * bytes])
            .copyMemory(
              from: UnsafeRawBufferPointer(
                rebasing: source[position * bytes..<(position + 1) * bytes]))
        }
      }
    }
    return result
  }
}
