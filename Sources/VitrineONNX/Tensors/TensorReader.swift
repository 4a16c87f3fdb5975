import VitrineTensor

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

#if _endian(big)
  #error("elements are copied as the little-endian bytes they are in the file")
#endif

/// Turns `TensorProto` messages into tensors, within the limits for all of them together.
///
/// Halves and narrow integers are widened, which is exact. Every size is checked against the data
/// that is there before memory is taken.
struct TensorReader {
  let limits: ONNXLimits
  private var external: ExternalData
  private var constantBytes = 0
  /// How many tensors held `float16` or `bfloat16`.
  private(set) var halfPrecisionCount = 0

  init(limits: ONNXLimits, folder: String?) {
    self.limits = limits
    external = ExternalData(folder: folder, limit: limits.externalBytes)
  }

  /// Reads the tensor of a message.
  ///
  /// - Complexity: O(bytes of the message) and, for data in another file, of that data.
  mutating func tensor(_ message: TensorMessage) throws(ONNXError) -> Tensor {
    let offset = message.content.position
    let type = try ElementType(code: message.typeCode, of: message.label, offset: offset)
    let shape = try shape(of: message)
    // `Shape` keeps eight bytes an element from overflowing.
    try reserve(shape.count * (type.dataType?.byteCount ?? 0))
    if type.isHalfPrecision { halfPrecisionCount += 1 }

    let typedCount = message.counts.values.reduce(0, +)
    guard !message.isExternal else {
      guard message.rawData == nil, typedCount == 0 else {
        throw .malformed(
          reason: "\(message.label) has data of its own and in another file", offset: offset)
      }
      return try external.tensor(message, shape, type)
    }
    guard let rawData = message.rawData else {
      return try typedTensor(message, shape, type, typedCount)
    }
    guard typedCount == 0 else {
      throw .malformed(
        reason: "\(message.label) has its data twice, raw and typed", offset: offset)
    }
    let needed = shape.count * type.byteCount
    guard rawData.count == needed else {
      throw .malformed(
        reason: "\(message.label) of shape \(shape) and type \(type) needs \(needed) bytes, "
          + "found \(rawData.count)", offset: rawData.lowerBound)
    }
    let source = message.content.source
    guard type.isStoredUnchanged else {
      return try source.withBytes(rawData) { (bytes) throws(ONNXError) in
        try type.tensor(shape, bytes, message.label)
      }
    }
    return try type.unchangedTensor(shape) { (target) throws(ONNXError) in
      try source.copy(rawData, to: target)
    }
  }

  private func shape(of message: TensorMessage) throws(ONNXError) -> Shape {
    do {
      return try Shape(
        message.dimensions.map { (dimension) throws(TensorError) in
          guard let dimension = Int(exactly: dimension) else { throw .invalidShape([]) }
          return dimension
        })
    } catch {
      throw .malformed(
        reason: "\(message.label) has the shape \(message.dimensions): dimensions must not be "
          + "negative, and their product must fit in memory", offset: message.content.position)
    }
  }

  private mutating func reserve(_ byteCount: Int) throws(ONNXError) {
    let (sum, overflow) = constantBytes.addingReportingOverflow(byteCount)
    try ONNXLimits.check(overflow ? Int.max : sum, "constantBytes", limits.constantBytes)
    guard isAvailable(byteCount) else { throw .outOfMemory(needed: sum) }
    constantBytes = sum
  }

  // MARK: - Elements in typed fields

  private func typedTensor(
    _ message: TensorMessage, _ shape: Shape, _ type: ElementType, _ typedCount: Int
  ) throws(ONNXError) -> Tensor {
    let typed = TensorMessage.TypedField(for: type)
    let found = message.counts[typed] ?? 0
    guard found == typedCount else {
      throw .malformed(
        reason: "\(message.label) of type \(type) has data in a field for another type",
        offset: message.content.position)
    }
    guard found == shape.count else {
      throw .malformed(
        reason: "\(message.label) of shape \(shape) needs \(shape.count) elements, found \(found)",
        offset: message.content.position)
    }
    switch type {
    case .float32:
      return try filled(shape, Float.self) { (next) throws(ONNXError) in
        try forEachFixed(typed, message, UInt32.self) { next(Float(bitPattern: $0)) }
      }
    case .float64:
      return try filled(shape, Double.self) { (next) throws(ONNXError) in
        try forEachFixed(typed, message, UInt64.self) { next(Double(bitPattern: $0)) }
      }
    case .float16, .bfloat16:
      let isHalf = type == .float16
      return try filled(shape, Float.self) { (next) throws(ONNXError) in
        try forEachInteger(typed, message, in: 0...0xffff) { (value) throws(ONNXError) in
          let bits = UInt16(truncatingIfNeeded: value)
          next(isHalf ? Float(half: bits) : Float(brain: bits))
        }
      }
    case .bool:
      return try filled(shape, Bool.self) { (next) throws(ONNXError) in
        try forEachInteger(typed, message, in: 0...1) { (value) throws(ONNXError) in
          next(value != 0)
        }
      }
    default:
      let range = type.integerRange
      return try filled(shape, Int64.self) { (next) throws(ONNXError) in
        try forEachInteger(typed, message, in: range) { (value) throws(ONNXError) in next(value) }
      }
    }
  }

  /// Returns a tensor whose elements are what `body` passes to its argument, in that order.
  private func filled<T: Scalar>(
    _ shape: Shape, _ type: T.Type, _ body: ((T) -> Void) throws(ONNXError) -> Void
  ) throws(ONNXError) -> Tensor {
    try Tensor(uninitialized: shape, of: T.self) { (buffer) throws(ONNXError) in
      var index = 0
      try body { value in
        guard index < buffer.count else { return }
        buffer[index] = value
        index += 1
      }
      // The count was right, so this is reached only with `index` at the end.
      while index < buffer.count {
        buffer[index] = T.zero
        index += 1
      }
    }
  }

  private func forEachFixed<Bits: FixedWidthInteger>(
    _ typed: TensorMessage.TypedField, _ message: TensorMessage, _ type: Bits.Type,
    _ body: (Bits) throws(ONNXError) -> Void
  ) throws(ONNXError) {
    var cursor = message.content
    while let field = try cursor.nextField() {
      if field.number == typed.rawValue {
        try cursor.forEachFixed(field, type, body)
      } else {
        try cursor.skip(field)
      }
    }
  }

  private func forEachInteger(
    _ typed: TensorMessage.TypedField, _ message: TensorMessage, in range: ClosedRange<Int64>,
    _ body: (Int64) throws(ONNXError) -> Void
  ) throws(ONNXError) {
    var cursor = message.content
    while let field = try cursor.nextField() {
      guard field.number == typed.rawValue else {
        try cursor.skip(field)
        continue
      }
      try cursor.forEachInteger(field) { (wide) throws(ONNXError) in
        let value = typed == .int32 ? Int64(Int32(truncatingIfNeeded: wide)) : wide
        guard range.contains(value) else {
          throw .malformed(
            reason: "\(message.label) has the element "
              + (typed == .uint64 ? "\(UInt64(bitPattern: value))" : "\(value)")
              + ", expected \(range.lowerBound)...\(range.upperBound)", offset: field.offset)
        }
        try body(value)
      }
    }
  }
}

/// Whether the system has that much memory to give right now.
///
/// Swift ends the process when an allocation fails; large ones are tried out first.
func isAvailable(_ byteCount: Int) -> Bool {
  guard byteCount >= 1 << 24 else { return true }
  guard let memory = malloc(byteCount) else { return false }
  free(memory)
  return true
}
