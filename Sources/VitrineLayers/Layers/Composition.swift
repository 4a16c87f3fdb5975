import VitrineNetwork

/// Blocks one behind the other, as one block: a branch, or a part with a name.
///
/// With a name, the layers inside are called `name.conv1` and so on.
public struct Sequential: Block {
  public let name: String?
  private let blocks: [any Block]

  public var kind: String { "" }

  /// - Parameters:
  ///   - name: Begins the names of the layers inside; they are named as if outside if `nil`.
  ///   - blocks: In turn; what they compute is that of the last one, the input if there is none.
  public init(_ name: String? = nil, @BlockBuilder blocks: () -> [any Block]) {
    self.name = name
    self.blocks = blocks()
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    try builder.connect(blocks, to: input)
  }
}

/// What some blocks compute, plus their input: `x + f(x)`.
///
/// Where `f` changes the shape, `shortcut` has to change that of `x` likewise.
///
/// Source: He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition" (2015).
public struct Residual: Block {
  public let name: String?
  private let blocks: [any Block]
  private let shortcut: [any Block]

  public var kind: String { "" }

  /// - Parameters:
  ///   - name: With a name, the layers inside are called `name.conv1`, and the sum `name.add1`.
  ///   - blocks: What the sum adds to the shortcut.
  ///   - shortcut: The other way; the input itself if empty.
  public init(
    _ name: String? = nil, @BlockBuilder blocks: () -> [any Block],
    @BlockBuilder shortcut: () -> [any Block] = { [] }
  ) {
    self.name = name
    self.blocks = blocks()
    self.shortcut = shortcut()
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    let main = try builder.connect(blocks, to: input)
    let passed = try builder.connect(shortcut, to: input)
    return try builder.connect(Sum(with: passed), to: main)
  }
}

/// The elementwise sum of two values of one shape.
private struct Sum: Block {
  let other: Signal
  var kind: String { "add" }

  init(with other: Signal) { self.other = other }

  func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    guard input.shape == other.shape else {
      throw builder.invalid(
        "expected blocks and shortcut of one shape, found \(input.shape) and \(other.shape)")
    }
    return try builder.node("Add", [input, other])
  }
}

/// What several branches compute of one input, side by side along an axis.
///
/// Each block inside is a branch; a branch of several layers is a ``Sequential``.
///
/// ```swift
/// Concatenate {
///   Conv2D(8, kernel: 1)
///   Sequential {
///     Conv2D(4, kernel: 1)
///     Conv2D(8, kernel: 3, padding: .same)
///   }
/// }
/// ```
public struct Concatenate: Block {
  public let name: String?
  private let axis: Int
  private let branches: [any Block]

  public var kind: String { "concatenate" }

  /// - Parameters:
  ///   - axis: Counted without the batch axis, from the end if negative; 0 is that of the
  ///     channels.
  ///   - name: The layer's name; numbered by its kind if `nil`.
  ///   - branches: Blocks that all get the input.
  public init(axis: Int = 0, name: String? = nil, @BlockBuilder branches: () -> [any Block]) {
    self.axis = axis
    self.name = name
    self.branches = branches()
  }

  public func connect(_ input: Signal, _ builder: inout NetworkBuilder) throws -> Signal {
    let signals = try branches.map { try builder.connect($0, to: input) }
    guard let first = signals.first else { throw builder.invalid("it has no branches") }
    let rank = first.shape.count
    guard (-rank..<rank).contains(axis) else {
      throw builder.invalid("expected an axis of \(first.shape), found \(axis)")
    }
    let position = axis < 0 ? axis + rank : axis
    func others(_ shape: [Int]) -> [Int] {
      shape.enumerated().filter { $0.offset != position }.map(\.element)
    }
    for signal in signals
    where signal.shape.count != rank || others(signal.shape) != others(first.shape) {
      throw builder.invalid(
        "expected branches alike except along axis \(axis), found "
          + signals.map { "\($0.shape)" }.joined(separator: " and "))
    }
    return try builder.node("Concat", signals, ["axis": .integer(Int64(position + 1))])
  }
}
