internal import CVitrineKernels
internal import VitrineTensor

/// A product of rows with one matrix, forwards and backwards: `Y = X · B + bias`, B possibly stored
/// transposed.
struct TrainingProduct {
  private let rows: Int
  private let inner: Int
  private let columns: Int
  private let left: Int
  private let right: Int
  private let bias: Int?
  private let isTransposed: Bool
  private let isRectified: Bool

  /// Returns `nil` if the node is a product of another form.
  init?(_ node: Wiring.Node, _ types: [ValueType], tail: TrainingFusion.Tail?) {
    let inputs = node.inputs
    guard inputs.count >= 2, let left = inputs[0], let right = inputs[1],
      types[left].dataType.isFloatingPoint, types[right].dataType.isFloatingPoint,
      types[right].shape.rank == 2, types[left].shape.rank >= 2, types[right].shape.count > 0,
      types[left].shape.count > 0
    else { return nil }
    let matrix = types[right].shape
    var bias = tail?.bias
    switch node.operation {
    case let gemm as Gemm:
      guard !gemm.transposesA, gemm.alpha == 1 else { return nil }
      isTransposed = gemm.transposesB
      if inputs.count > 2, let addend = inputs[2] {
        let columns = gemm.transposesB ? matrix[0] : matrix[1]
        guard gemm.beta == 1, types[addend].shape.count == columns,
          types[addend].shape.dimensions.last == columns
        else { return nil }
        bias = addend
      }
    case is MatMul: isTransposed = false
    default: return nil
    }
    self.left = left
    self.right = right
    self.bias = bias
    inner = isTransposed ? matrix[1] : matrix[0]
    columns = isTransposed ? matrix[0] : matrix[1]
    rows = types[left].shape.count / inner
    isRectified = tail?.isRectified ?? false
    guard [rows, inner, columns].allSatisfy({ $0 <= Int(Int32.max) }) else { return nil }
  }

  func emitForward(_ builder: inout TrainingPlanBuilder, node: Int, to target: Int) {
    let matrix = builder.place(right)
    if isTransposed { emitTransposition(&builder, node: node, rows: columns, columns: inner) }
    var operation = vk_train_op()
    operation.kind = VK_TRAIN_PRODUCT
    operation.as.product = vk_train_product(
      a: builder.at(builder.place(left)),
      b: builder.at(isTransposed ? builder.transposed[node] : matrix),
      c: builder.at(target), bias: builder.at(bias.map { builder.place($0) }),
      a_row: Int64(inner), a_step: 1,
      b_step: Int64(isTransposed ? Self.rounded(columns) : columns), c_row: Int64(columns),
      m: Int32(rows), n: Int32(columns), k: Int32(inner),
      function: isRectified ? VK_RELU : VK_IDENTITY)
    builder.emit(operation)
  }

  func emitBackward(_ builder: inout TrainingPlanBuilder, node: Int, cotangent: Int) {
    var operation = vk_train_op()
    if let bias, builder.isActive(bias) {
      operation.kind = VK_TRAIN_SUM_ROWS
      builder.contribute(to: bias) { [rows, columns] builder, place in
        operation.as.sum = vk_train_sum(
          input: builder.at(cotangent), output: builder.at(place), rows: Int32(rows),
          columns: Int32(columns))
        builder.emit(operation)
      }
    }
    operation.kind = VK_TRAIN_PRODUCT
    if builder.isActive(right) {
      // The transpose of one factor times the other, in the order that B is stored in.
      let input = builder.place(left)
      let (first, second) = isTransposed ? (cotangent, input) : (input, cotangent)
      let (m, n) = isTransposed ? (columns, inner) : (inner, columns)
      builder.contribute(to: right) { [rows] builder, place in
        operation.as.product = vk_train_product(
          a: builder.at(first), b: builder.at(second), c: builder.at(place),
          bias: builder.at(nil), a_row: 1, a_step: Int64(m), b_step: Int64(n), c_row: Int64(n),
          m: Int32(m), n: Int32(n), k: Int32(rows), function: VK_IDENTITY)
        builder.emit(operation)
      }
    }
    if builder.isActive(left) {
      if !isTransposed { emitTransposition(&builder, node: node, rows: inner, columns: columns) }
      let matrix = isTransposed ? builder.place(right) : builder.transposed[node]
      let step = isTransposed ? inner : Self.rounded(inner)
      builder.contribute(to: left) { [rows, columns, inner] builder, place in
        operation.as.product = vk_train_product(
          a: builder.at(cotangent), b: builder.at(matrix), c: builder.at(place),
          bias: builder.at(nil), a_row: Int64(columns), a_step: 1, b_step: Int64(step),
          c_row: Int64(inner), m: Int32(rows), n: Int32(inner), k: Int32(columns),
          function: VK_IDENTITY)
        builder.emit(operation)
      }
    }
  }

  /// Keeps the matrix as `[column, row]` with rows of whole vectors.
  private func emitTransposition(
    _ builder: inout TrainingPlanBuilder, node: Int, rows: Int, columns: Int
  ) {
    let place = builder.reserve(columns * Self.rounded(rows))
    builder.transposed[node] = place
    var operation = vk_train_op()
    operation.kind = VK_TRAIN_TRANSPOSE
    operation.as.transpose = vk_train_transpose(
      input: builder.at(builder.place(right)), output: builder.at(place), rows: Int32(rows),
      columns: Int32(columns), output_row: Int64(Self.rounded(rows)))
    builder.emit(operation)
  }

  private static func rounded(_ count: Int) -> Int { (count + 15) / 16 * 16 }
}
