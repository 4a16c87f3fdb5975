#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// An array of numbers with a shape: contiguous, row-major, 64-byte aligned, a value.
///
/// Copies share memory until one of them is changed. The element type is chosen at run time
/// (``DataType``); typed access goes through ``withElements(of:_:)`` and fails, by throwing, when the
/// tensor holds another type.
public struct Tensor: Sendable {
  /// The extent along each axis.
  public let shape: Shape
  /// The type of the elements.
  public let dataType: DataType
  private var storage: TensorStorage

  /// Creates a tensor whose elements are all zero (or `false`).
  ///
  /// - Complexity: O(`shape.count`).
  public init(zeros shape: Shape, _ dataType: DataType = .float32) {
    self.shape = shape
    self.dataType = dataType
    storage = TensorStorage(byteCount: shape.count * dataType.byteCount)
    storage.bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }

  /// Creates a tensor from its elements in row-major order.
  ///
  /// - Throws: ``TensorError/countMismatch(expected:found:shape:)``, or what ``Shape`` throws.
  /// - Complexity: O(`elements.count`).
  public init<T: Scalar>(_ elements: [T], shape dimensions: [Int]) throws(TensorError) {
    let shape = try Shape(dimensions)
    guard shape.count == elements.count else {
      throw .countMismatch(expected: shape.count, found: elements.count, shape: dimensions)
    }
    self.init(uninitialized: shape, of: T.self) { buffer in
      // Byte by byte: the generic copy costs 24 ns an element when called from another module.
      elements.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
    }
  }

  /// Creates a tensor of rank 1 from its elements.
  ///
  /// - Complexity: O(`elements.count`).
  public init<T: Scalar>(_ elements: [T]) {
    guard let shape = try? Shape([elements.count]) else {
      preconditionFailure("an array's count is always a valid dimension")
    }
    self.init(uninitialized: shape, of: T.self) { buffer in
      elements.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
    }
  }

  /// Creates a tensor of rank 0.
  public init<T: Scalar>(scalar: T) {
    guard let shape = try? Shape([]) else { preconditionFailure("[] is a valid shape") }
    self.init(uninitialized: shape, of: T.self) { $0[0] = scalar }
  }

  /// Creates a tensor whose elements all have one value.
  ///
  /// - Complexity: O(`shape.count`).
  @inlinable
  public init<T: Scalar>(repeating value: T, shape: Shape) {
    self.init(uninitialized: shape, of: T.self) { $0.update(repeating: value) }
  }

  /// Creates a tensor by letting `fill` write every element.
  ///
  /// - Parameters:
  ///   - shape: Of the tensor.
  ///   - type: Of its elements.
  ///   - fill: Must set all `shape.count` elements: their memory holds arbitrary bits.
  public init<T: Scalar, E: Error>(
    uninitialized shape: Shape, of type: T.Type,
    fill: (UnsafeMutableBufferPointer<T>) throws(E) -> Void
  ) throws(E) {
    self.shape = shape
    dataType = T.dataType
    storage = TensorStorage(byteCount: shape.count * T.dataType.byteCount)
    try fill(storage.bytes.bindMemory(to: T.self))
  }

  /// The number of elements.
  public var count: Int { shape.count }
  /// The number of axes.
  public var rank: Int { shape.rank }

  // MARK: - Elements

  /// Calls `body` with the elements in row-major order.
  ///
  /// - Throws: ``TensorError/typeMismatch(expected:found:operation:)`` if the tensor does not hold
  ///   elements of type `T`; what `body` throws.
  public func withElements<T: Scalar, Result>(
    of type: T.Type, _ body: (UnsafeBufferPointer<T>) throws -> Result
  ) throws -> Result {
    guard T.dataType == dataType else {
      throw TensorError.typeMismatch(
        expected: T.dataType, found: dataType, operation: "reading elements")
    }
    return try withExtendedLifetime(storage) {
      try body(UnsafeBufferPointer(storage.bytes.bindMemory(to: T.self)))
    }
  }

  /// Calls `body` with the elements for changing them in place.
  ///
  /// - Throws: As ``withElements(of:_:)``.
  /// - Complexity: O(1), or O(`count`) if the memory is shared with another tensor.
  public mutating func withMutableElements<T: Scalar, Result>(
    of type: T.Type, _ body: (UnsafeMutableBufferPointer<T>) throws -> Result
  ) throws -> Result {
    guard T.dataType == dataType else {
      throw TensorError.typeMismatch(
        expected: T.dataType, found: dataType, operation: "changing elements")
    }
    makeUnique()
    return try withExtendedLifetime(storage) {
      try body(storage.bytes.bindMemory(to: T.self))
    }
  }

  /// Calls `body` with the bytes of the elements, in the machine's byte order.
  public func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    try withExtendedLifetime(storage) { try body(UnsafeRawBufferPointer(storage.bytes)) }
  }

  /// Calls `body` with the bytes of the elements for changing them in place.
  ///
  /// Bytes of a `bool` tensor must be left 0 or 1.
  ///
  /// - Complexity: O(1), or O(`count`) if the memory is shared with another tensor.
  public mutating func withMutableBytes<Result>(
    _ body: (UnsafeMutableRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    makeUnique()
    return try withExtendedLifetime(storage) { try body(storage.bytes) }
  }

  /// The elements in row-major order.
  ///
  /// - Throws: As ``withElements(of:_:)``.
  public func elements<T: Scalar>(of type: T.Type) throws -> [T] {
    try withElements(of: type) { Array($0) }
  }

  /// Calls `body` with the elements, for code that has already made a case distinction on the type.
  ///
  /// - Precondition: `T.dataType == dataType`.
  func withElements<T: Scalar, Result>(
    knownToBe type: T.Type, _ body: (UnsafeBufferPointer<T>) -> Result
  ) -> Result {
    assert(T.dataType == dataType, "a tensor of \(dataType) was read as \(T.dataType)")
    return withBytes { body($0.bindMemory(to: T.self)) }
  }

  // MARK: - Shape and type

  /// Returns the same elements, in the same order, under another shape of as many elements.
  ///
  /// - Throws: ``TensorError/shapeMismatch(expected:found:operation:)`` with both shapes.
  /// - Complexity: O(1): memory is shared.
  public func reshaped(to dimensions: [Int]) throws(TensorError) -> Tensor {
    let newShape = try Shape(dimensions)
    guard newShape.count == count else {
      throw .shapeMismatch(expected: dimensions, found: shape.dimensions, operation: "reshape")
    }
    return Tensor(shape: newShape, dataType: dataType, storage: storage)
  }

  /// Returns the elements converted to another type.
  ///
  /// Real numbers become integers by truncation towards zero, saturating at the ends of the range,
  /// and NaN becomes 0; anything but zero becomes `true`; `true` becomes 1.
  ///
  /// - Complexity: O(`count`), O(1) if the tensor already has that type.
  public func converted(to type: DataType) -> Tensor {
    if type == dataType { return self }
    var result = Tensor(zeros: shape, type)
    result.withMutableBytes { target in
      withBytes { source in
        switch dataType {
        case .float32: convertElements(source.bindMemory(to: Float.self), to: type, target)
        case .float64: convertElements(source.bindMemory(to: Double.self), to: type, target)
        case .int64: convertElements(source.bindMemory(to: Int64.self), to: type, target)
        case .bool:
          let bytes = source.bindMemory(to: UInt8.self)
          convertElements(bytes, to: type, target)
        }
      }
    }
    return result
  }

  private init(shape: Shape, dataType: DataType, storage: TensorStorage) {
    self.shape = shape
    self.dataType = dataType
    self.storage = storage
  }

  private mutating func makeUnique() {
    guard !isKnownUniquelyReferenced(&storage) else { return }
    let copy = TensorStorage(byteCount: storage.bytes.count)
    copy.bytes.copyMemory(from: UnsafeRawBufferPointer(storage.bytes))
    storage = copy
  }
}

// MARK: - Conformances

extension Tensor: Equatable {
  /// Whether both have the same shape, type and bits (NaN equals the same NaN; 0 and -0 differ).
  public static func == (left: Tensor, right: Tensor) -> Bool {
    left.shape == right.shape && left.dataType == right.dataType
      && left.withBytes { a in
        right.withBytes { b in
          guard let a = a.baseAddress, let b = b.baseAddress else { return true }
          return memcmp(a, b, left.count * left.dataType.byteCount) == 0
        }
      }
  }
}

extension Tensor: CustomStringConvertible {
  public var description: String { "Tensor \(shape) \(dataType)" }
}

// MARK: - Memory

/// Owns the bytes of one or more tensors.
///
/// `@unchecked Sendable`: the bytes are written only by the one ``Tensor`` that holds the only
/// reference (`isKnownUniquelyReferenced`), or before the first copy exists.
private final class TensorStorage: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer
  private let block: MemoryPool.Block

  init(byteCount: Int) {
    // Rounded up to whole vectors, so that kernels may read the last one in full.
    let capacity = (max(byteCount, 1) + 63) & ~63
    block = MemoryPool.shared.take(capacity)
    let memory = block.memory
    (memory + byteCount).initializeMemory(as: UInt8.self, repeating: 0, count: capacity - byteCount)
    bytes = UnsafeMutableRawBufferPointer(start: memory, count: byteCount)
  }

  deinit {
    MemoryPool.shared.giveBack(block)
  }
}

private func convertElements<S: BinaryFloatingPoint>(
  _ source: UnsafeBufferPointer<S>, to type: DataType, _ target: UnsafeMutableRawBufferPointer
) {
  switch type {
  case .float32:
    let target = target.bindMemory(to: Float.self)
    for i in source.indices { target[i] = Float(source[i]) }
  case .float64:
    let target = target.bindMemory(to: Double.self)
    for i in source.indices { target[i] = Double(source[i]) }
  case .int64:
    let target = target.bindMemory(to: Int64.self)
    for i in source.indices {
      let value = Double(source[i])
      target[i] =
        value.isNaN
        ? 0 : value >= 0x1p63 ? Int64.max : value < -0x1p63 ? Int64.min : Int64(value)
    }
  case .bool:
    let target = target.bindMemory(to: Bool.self)
    for i in source.indices { target[i] = source[i] != 0 }
  }
}

private func convertElements<S: BinaryInteger>(
  _ source: UnsafeBufferPointer<S>, to type: DataType, _ target: UnsafeMutableRawBufferPointer
) {
  switch type {
  case .float32:
    let target = target.bindMemory(to: Float.self)
    for i in source.indices { target[i] = Float(source[i]) }
  case .float64:
    let target = target.bindMemory(to: Double.self)
    for i in source.indices { target[i] = Double(source[i]) }
  case .int64:
    let target = target.bindMemory(to: Int64.self)
    for i in source.indices { target[i] = Int64(source[i]) }
  case .bool:
    let target = target.bindMemory(to: Bool.self)
    for i in source.indices { target[i] = source[i] != 0 }
  }
}
