package import VitrineTensor

package enum Poolings {
  package static let operators: [String: any Operator.Type] = [
    "AveragePool": AveragePool.self, "GlobalAveragePool": GlobalAveragePool.self,
    "GlobalMaxPool": GlobalMaxPool.self, "MaxPool": MaxPool.self,
  ]
}

// MARK: - Windows

/// The maximum of every window, over one, two or three spatial axes.
///
/// Padding never wins. NaN does: a window with a NaN has the maximum NaN, as in PyTorch. The cotangent
/// goes to the first maximum, or the first NaN, in row-major order. A window that lies in the padding
/// altogether, which dilation makes possible, has the maximum -∞ and passes no cotangent on.
package struct MaxPool: Operator {
  private let attributes: WindowAttributes

  package init(_ node: NodeReader) throws {
    attributes = try WindowAttributes(node)
    guard node.node.outputs.dropFirst().allSatisfy(\.isEmpty) else {
      throw OperatorError("the output 'Indices' is not supported: only the maxima are")
    }
  }

  /// Returns one window per spatial axis.
  package func windows(input: Shape) throws -> [Window] {
    try attributes.poolingWindows(input)
  }

  package var pushforwardRule: PushforwardRule { .own }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let input = try RealInputs(inputs, "X").shape(0)
    return [ValueType(try PoolingLayout(input, windows(input: input)).output, .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let input = try inputs.required(0)
    let layout = try PoolingLayout(input.shape, windows(input: input.shape))
    let result = try input.withElements(of: T.self) { x in
      Tensor(uninitialized: layout.output, of: T.self) { y in
        layout.forEachWindow { output, window in
          let winner = Self.winner(of: window, x)
          y[output] = winner.map { x[$0] } ?? -.infinity
        }
      }
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let input = try point.inputs.required(0)
    let layout = try PoolingLayout(input.shape, windows(input: input.shape))
    guard point.wants(0), let cotangent = try point.cotangent(cotangents, of: layout.output) else {
      return [nil]
    }
    var result = Tensor(zeros: input.shape, T.dataType)
    try result.withMutableElements(of: T.self) { target in
      try input.withElements(of: T.self) { x in
        try cotangent.withElements(of: T.self) { g in
          layout.forEachWindow { output, window in
            if let winner = Self.winner(of: window, x) { target[winner] += g[output] }
          }
        }
      }
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pushforward<T: RealScalar>(
    _ tangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let input = try point.inputs.required(0)
    guard let tangent = tangents.optional(0) else { return [nil] }
    let layout = try PoolingLayout(input.shape, windows(input: input.shape))
    let result = try input.withElements(of: T.self) { x in
      try tangent.withElements(of: T.self) { t in
        Tensor(uninitialized: layout.output, of: T.self) { y in
          layout.forEachWindow { output, window in
            y[output] = Self.winner(of: window, x).map { t[$0] } ?? 0
          }
        }
      }
    }
    return [result]
  }

  /// Returns the position of the first maximum, or the first NaN; `nil` for a window without elements.
  @inline(__always)
  private static func winner<T: RealScalar>(
    of window: PoolingLayout.Elements, _ x: UnsafeBufferPointer<T>
  ) -> Int? {
    var winner: Int?
    var maximum = -T.infinity
    window.forEachPosition { position in
      let value = x[position]
      if value > maximum || winner == nil || (value.isNaN && !maximum.isNaN) {
        maximum = value
        winner = position
      }
    }
    return winner
  }
}

/// The mean of every window, over one, two or three spatial axes.
///
/// A window that lies in the padding altogether has the mean 0.
package struct AveragePool: Operator {
  /// Whether a window's divisor counts padding; never what lies beyond it with `ceil_mode`.
  package let countsPadding: Bool
  private let attributes: WindowAttributes

  package init(_ node: NodeReader) throws {
    attributes = try WindowAttributes(node)
    countsPadding = try node.flag("count_include_pad", default: false)
  }

  /// Returns one window per spatial axis.
  package func windows(input: Shape) throws -> [Window] {
    try attributes.poolingWindows(input)
  }

  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    let input = try RealInputs(inputs, "X").shape(0)
    return [ValueType(try PoolingLayout(input, windows(input: input)).output, .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let input = try inputs.required(0)
    let layout = try PoolingLayout(input.shape, windows(input: input.shape))
    let result = try input.withElements(of: T.self) { x in
      Tensor(uninitialized: layout.output, of: T.self) { y in
        layout.forEachWindow { output, window in
          var sum = T.zero
          window.forEachPosition { sum += x[$0] }
          y[output] = sum / divisor(of: window, T.self)
        }
      }
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let input = try point.inputs.required(0)
    let layout = try PoolingLayout(input.shape, windows(input: input.shape))
    guard point.wants(0), let cotangent = try point.cotangent(cotangents, of: layout.output) else {
      return [nil]
    }
    var result = Tensor(zeros: input.shape, T.dataType)
    try result.withMutableElements(of: T.self) { target in
      try cotangent.withElements(of: T.self) { g in
        layout.forEachWindow { output, window in
          let share = g[output] / divisor(of: window, T.self)
          window.forEachPosition { target[$0] += share }
        }
      }
    }
    return [result]
  }

  @inline(__always)
  private func divisor<T: RealScalar>(of window: PoolingLayout.Elements, _: T.Type) -> T {
    max(1, countsPadding ? T(window.paddedCount) : T(window.count))
  }
}

extension WindowAttributes {
  fileprivate func poolingWindows(_ input: Shape) throws -> [Window] {
    guard (3...5).contains(input.rank) else {
      throw OperatorError(
        "expected an input [batch, channel, …] with 1, 2 or 3 spatial axes, found \(input)")
    }
    guard let kernel else { throw OperatorError("attribute 'kernel_shape' is missing") }
    let windows = try resolved(
      inputSpatial: Array(input.dimensions[2...]), kernelSpatial: kernel)
    for (axis, window) in windows.enumerated() {
      guard window.input > 0 else {
        throw OperatorError("spatial axis \(axis): expected at least 1 position, found 0")
      }
      guard max(window.padBefore, window.padAfter) < window.extent else {
        throw OperatorError(
          "spatial axis \(axis): expected pads smaller than the kernel's extent "
            + "\(window.extent), found \(window.padBefore) and \(window.padAfter)")
      }
    }
    return windows
  }
}

/// The extents of one pooling, with exactly three spatial axes.
private struct PoolingLayout {
  let output: Shape
  private let planes: Int
  private let depth: Window
  private let height: Window
  private let width: Window

  init(_ input: Shape, _ windows: [Window]) throws {
    output = try Shape(output: input.dimensions[..<2] + windows.map(\.output))
    let padded = Array(repeating: .identity(1), count: 3 - windows.count) + windows
    (depth, height, width) = (padded[0], padded[1], padded[2])
    planes = output.count == 0 ? 0 : input[0] * input[1]
  }

  /// The positions of the input that one window reads.
  ///
  /// Arithmetic wraps: a huge window begins at a position before the input that no `Int` holds, but the
  /// taps it is evaluated for end within the input.
  struct Elements {
    fileprivate let depth: Range<Int>
    fileprivate let height: Range<Int>
    fileprivate let width: Range<Int>
    fileprivate let first: Int
    /// Distances between taps, in elements of the input.
    fileprivate let steps: (depth: Int, height: Int, width: Int)
    /// Number of taps that read the input or the padding.
    let paddedCount: Double

    var count: Int { depth.count * height.count * width.count }

    /// Calls `body` with the positions in row-major order.
    @inline(__always)
    func forEachPosition(_ body: (Int) -> Void) {
      for z in depth {
        for y in height {
          let row = first &+ z &* steps.depth &+ y &* steps.height
          for x in width { body(row &+ x &* steps.width) }
        }
      }
    }
  }

  /// Calls `body` for every output, in row-major order.
  @inline(__always)
  func forEachWindow(_ body: (_ output: Int, _ window: Elements) -> Void) {
    let steps = (
      depth: depth.dilation &* height.input &* width.input,
      height: height.dilation &* width.input,
      width: width.dilation
    )
    var index = 0
    for plane in 0..<planes {
      for z in 0..<depth.output {
        for y in 0..<height.output {
          let row =
            (plane * depth.input + depth.position(output: z, tap: 0)) &* height.input
            &+ height.position(output: y, tap: 0)
          let (tapsZ, tapsY) = (depth.taps(output: z), height.taps(output: y))
          let padded = Double(depth.paddedTaps(output: z)) * Double(height.paddedTaps(output: y))
          for x in 0..<width.output {
            body(
              index,
              Elements(
                depth: tapsZ, height: tapsY, width: width.taps(output: x),
                first: row &* width.input &+ width.position(output: x, tap: 0), steps: steps,
                paddedCount: padded * Double(width.paddedTaps(output: x))))
            index += 1
          }
        }
      }
    }
  }
}

extension Window {
  /// Number of taps at an output that read the input or its padding, not what lies beyond.
  fileprivate func paddedTaps(output: Int) -> Int {
    let room = input + padAfter - position(output: output, tap: 0)
    return min(kernel, (room - 1) / dilation + 1)
  }
}

// MARK: - Whole planes

/// The mean over all spatial axes, which keep the extent 1.
struct GlobalAveragePool: Operator {
  package init(_ node: NodeReader) {}

  package var pushforwardRule: PushforwardRule { .linear }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(try PlaneLayout(RealInputs(inputs, "X").shape(0)).output, .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let input = try inputs.required(0)
    let layout = try PlaneLayout(input.shape)
    let result = try input.withElements(of: T.self) { x in
      Tensor(uninitialized: layout.output, of: T.self) { y in
        for index in y.indices {
          y[index] = sum(UnsafeBufferPointer(rebasing: x[layout.plane(index)])) / T(layout.size)
        }
      }
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let layout = try PlaneLayout(point.inputs.required(0).shape)
    guard point.wants(0), let cotangent = try point.cotangent(cotangents, of: layout.output) else {
      return [nil]
    }
    let result = try cotangent.withElements(of: T.self) { g in
      Tensor(uninitialized: layout.input, of: T.self) { target in
        for index in g.indices {
          target[layout.plane(index)].update(repeating: g[index] / T(layout.size))
        }
      }
    }
    return [result]
  }
}

/// The maximum over all spatial axes, which keep the extent 1; NaN and ties as in ``MaxPool``.
package struct GlobalMaxPool: Operator {
  package init(_ node: NodeReader) {}

  package var pushforwardRule: PushforwardRule { .own }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(try PlaneLayout(RealInputs(inputs, "X").shape(0)).output, .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let input = try inputs.required(0)
    let layout = try PlaneLayout(input.shape)
    let result = try input.withElements(of: T.self) { x in
      Tensor(uninitialized: layout.output, of: T.self) { y in
        for index in y.indices { y[index] = x[layout.winner(index, x)] }
      }
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pullback<T: RealScalar>(
    _ cotangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    try point.checkRule()
    let input = try point.inputs.required(0)
    let layout = try PlaneLayout(input.shape)
    guard point.wants(0), let cotangent = try point.cotangent(cotangents, of: layout.output) else {
      return [nil]
    }
    var result = Tensor(zeros: input.shape, T.dataType)
    try result.withMutableElements(of: T.self) { target in
      try input.withElements(of: T.self) { x in
        try cotangent.withElements(of: T.self) { g in
          for index in g.indices { target[layout.winner(index, x)] = g[index] }
        }
      }
    }
    return [result]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func pushforward<T: RealScalar>(
    _ tangents: [Tensor?], at point: Point, _: T.Type
  ) throws -> [Tensor?] {
    let input = try point.inputs.required(0)
    guard let tangent = tangents.optional(0) else { return [nil] }
    let layout = try PlaneLayout(input.shape)
    let result = try input.withElements(of: T.self) { x in
      try tangent.withElements(of: T.self) { t in
        Tensor(uninitialized: layout.output, of: T.self) { y in
          for index in y.indices { y[index] = t[layout.winner(index, x)] }
        }
      }
    }
    return [result]
  }
}

/// The planes of an input `[batch, channel, …spatial]`.
private struct PlaneLayout {
  let input: Shape
  let output: Shape
  /// Elements of a plane, at least 1; 0 if there are no planes.
  let size: Int

  init(_ input: Shape) throws {
    guard input.rank >= 3, !input.dimensions[2...].contains(0) else {
      throw OperatorError(
        "expected an input [batch, channel, …] with spatial axes that are not empty, found \(input)"
      )
    }
    self.input = input
    output = try Shape(
      output: input.dimensions[..<2] + Array(repeating: 1, count: input.rank - 2))
    size = output.count == 0 ? 0 : input.count / output.count
  }

  func plane(_ index: Int) -> Range<Int> { index * size..<(index + 1) * size }

  @inline(__always)
  func winner<T: RealScalar>(_ index: Int, _ x: UnsafeBufferPointer<T>) -> Int {
    let plane = plane(index)
    var winner = plane.lowerBound
    for position in plane.dropFirst()
    where x[position] > x[winner] || (x[position].isNaN && !x[winner].isNaN) {
      winner = position
    }
    return winner
  }
}
