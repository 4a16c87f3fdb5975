import VitrineNetwork
import VitrineTensor

/// All elements of a sample as one row of features: `[…]` becomes `[feature]`, the last axis fastest.
public struct Flatten: Block {
  public let name: String?

  public var kind: String { "flatten" }

  /// - Parameter name: The layer's name; numbered by its kind if `nil`.
  public init(name: String? = nil) { self.name = name }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try builder.node("Flatten", [input], ["axis": .integer(1)])
  }
}

/// The elements of a sample, in their order, under another shape.
public struct Reshape: Block {
  public let name: String?
  private let shape: [Int]

  public var kind: String { "reshape" }

  /// - Parameters:
  ///   - shape: Extents without the batch axis; one may be -1 for what remains.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(_ shape: [Int], name: String? = nil) {
    self.shape = shape
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    let count = input.shape.reduce(1, *)
    let known = shape.filter { $0 != -1 }
    let product = known.reduce((1, false)) { total, extent in
      let (product, overflow) = total.0.multipliedReportingOverflow(by: extent)
      return (product, total.1 || overflow)
    }
    guard known.allSatisfy({ $0 > 0 }), shape.count - known.count <= 1, !product.1,
      known.count == shape.count ? product.0 == count : count % product.0 == 0
    else {
      throw builder.invalid(
        "expected extents of \(count) elements as in the input \(input.shape), found \(shape)")
    }
    let extents = shape.map { $0 == -1 ? count / product.0 : $0 }
    // 0 keeps the extent of the batch.
    let target = try builder.constant("shape", Tensor([0] + extents.map(Int64.init)))
    return try builder.node("Reshape", [input, target])
  }
}

/// Other order of the axes of a sample.
public struct Permute: Block {
  public let name: String?
  private let order: [Int]

  public var kind: String { "permute" }

  /// - Parameters:
  ///   - order: Axis `i` of the output is axis `order[i]` of the input, the batch not counted.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  public init(_ order: [Int], name: String? = nil) {
    self.order = order
    self.name = name
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard order.sorted() == Array(input.shape.indices) else {
      throw builder.invalid(
        "expected each axis of the input \(input.shape) once, found \(order)")
    }
    return try builder.node(
      "Transpose", [input], ["perm": .integers([0] + order.map { Int64($0 + 1) })])
  }
}
