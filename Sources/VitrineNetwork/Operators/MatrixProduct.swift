package import VitrineTensor

package enum MatrixProducts {
  package static let operators: [String: any Operator.Type] = [
    "Einsum": Einsum.self, "Gemm": Gemm.self, "MatMul": MatMul.self,
  ]
}

/// `alpha · A' · B' + beta · C` with `A'` being `A` or its transpose, and likewise `B'`.
///
/// `A'` is `[row, inner]`, `B'` is `[inner, column]`; the optional `C` broadcasts to `[row, column]`.
package struct Gemm: Operator {
  package let alpha: Double
  package let beta: Double
  package let transposesA: Bool
  package let transposesB: Bool

  package init(_ node: NodeReader) throws {
    alpha = try node.real("alpha", default: 1)
    beta = try node.real("beta", default: 1)
    transposesA = try node.flag("transA", default: false)
    transposesB = try node.flag("transB", default: false)
  }

  package var pushforwardRule: PushforwardRule { .multilinear(additive: [2]) }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(try Layout(self, RealInputs(inputs, "A", "B", "C", optional: 1)).output, .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let layout = try Layout(self, RealInputs(inputs, "A", "B", "C", optional: 1))
    var result = Tensor(zeros: layout.output, T.dataType)
    try result.withMutableElements(of: T.self) { y in
      if let addend = inputs.optional(2), let broadcast = layout.addend, beta != 0 {
        try addend.withElements(of: T.self) { c in
          broadcast.forEachRow { row, offset, step in
            for i in row { y[i] = T(beta) * c[offset + (i - row.lowerBound) * step] }
          }
        }
      }
      try inputs.required(0).withElements(of: T.self) { a in
        try inputs.required(1).withElements(of: T.self) { b in
          Matrix(a, rows: layout.rows, columns: layout.inner, isTransposed: transposesA)
            .addProduct(
              with: Matrix(
                b, rows: layout.inner, columns: layout.columns, isTransposed: transposesB),
              scale: T(alpha), to: y)
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
    let inputs = point.inputs
    let layout = try Layout(self, RealInputs(inputs, "A", "B", "C", optional: 1))
    var results = [Tensor?](repeating: nil, count: inputs.count)
    guard let cotangent = try point.cotangent(cotangents, of: layout.output) else {
      return results
    }
    let (left, right) = (try inputs.required(0), try inputs.required(1))
    try cotangent.withElements(of: T.self) { g in
      let g = Matrix(g, rows: layout.rows, columns: layout.columns)
      if point.wants(0) {
        var result = Tensor(zeros: left.shape, T.dataType)
        try result.withMutableElements(of: T.self) { target in
          try right.withElements(of: T.self) { b in
            let b = Matrix(
              b, rows: layout.inner, columns: layout.columns, isTransposed: transposesB)
            if transposesA {
              b.addProduct(with: g.transposed, scale: T(alpha), to: target)
            } else {
              g.addProduct(with: b.transposed, scale: T(alpha), to: target)
            }
          }
        }
        results[0] = result
      }
      if point.wants(1) {
        var result = Tensor(zeros: right.shape, T.dataType)
        try result.withMutableElements(of: T.self) { target in
          try left.withElements(of: T.self) { a in
            let a = Matrix(a, rows: layout.rows, columns: layout.inner, isTransposed: transposesA)
            if transposesB {
              g.transposed.addProduct(with: a, scale: T(alpha), to: target)
            } else {
              a.transposed.addProduct(with: g, scale: T(alpha), to: target)
            }
          }
        }
        results[1] = result
      }
    }
    if point.wants(2), let addend = inputs.optional(2), let broadcast = layout.addend {
      var result = Tensor(zeros: addend.shape, T.dataType)
      try result.withMutableElements(of: T.self) { target in
        try cotangent.withElements(of: T.self) { g in
          broadcast.forEachRow { row, offset, step in
            for i in row { target[offset + (i - row.lowerBound) * step] += T(beta) * g[i] }
          }
        }
      }
      results[2] = result
    }
    return results
  }

  private struct Layout {
    let rows: Int
    let inner: Int
    let columns: Int
    let output: Shape
    let addend: Broadcast?

    init(_ node: Gemm, _ inputs: RealInputs) throws {
      let (a, b) = (try inputs.shape(0), try inputs.shape(1))
      guard a.rank == 2, b.rank == 2 else {
        throw OperatorError("expected two matrices, found \(a) and \(b)")
      }
      (rows, inner) = node.transposesA ? (a[1], a[0]) : (a[0], a[1])
      columns = node.transposesB ? b[0] : b[1]
      guard inner == (node.transposesB ? b[1] : b[0]) else {
        throw OperatorError(
          "matrices \(a)\(node.transposesA ? "ᵀ" : "") and \(b)\(node.transposesB ? "ᵀ" : "") "
            + "cannot be multiplied")
      }
      output = try Shape(output: [rows, columns])
      addend = try inputs.optionalShape(2).map { [output] in try Broadcast($0, to: output) }
    }
  }
}

/// The product of two stacks of matrices `[…, row, inner]` and `[…, inner, column]`, as in NumPy.
///
/// The leading axes broadcast. An operand of rank 1 is a row on the left, a column on the right, and
/// its missing axis is missing from the output, too.
package struct MatMul: Operator {
  package init(_ node: NodeReader) {}

  package var pushforwardRule: PushforwardRule { .multilinear(additive: []) }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(try Layout(RealInputs(inputs, "A", "B")).output, .float32)]
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let layout = try Layout(RealInputs(inputs, "A", "B"))
    var result = Tensor(zeros: layout.output, T.dataType)
    try result.withMutableElements(of: T.self) { y in
      try inputs.required(0).withElements(of: T.self) { a in
        try inputs.required(1).withElements(of: T.self) { b in
          layout.forEachProduct { product in
            layout.left(a, product).addProduct(
              with: layout.right(b, product), to: UnsafeMutableBufferPointer(rebasing: y[product.y])
            )
          }
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
    let inputs = point.inputs
    let layout = try Layout(RealInputs(inputs, "A", "B"))
    guard let cotangent = try point.cotangent(cotangents, of: layout.output) else {
      return [nil, nil]
    }
    var toLeft: Tensor?
    var toRight: Tensor?
    let (left, right) = (try inputs.required(0), try inputs.required(1))
    try cotangent.withElements(of: T.self) { g in
      if point.wants(0) {
        var result = Tensor(zeros: left.shape, T.dataType)
        try result.withMutableElements(of: T.self) { target in
          try right.withElements(of: T.self) { b in
            layout.forEachProduct { product in
              layout.output(g, product).addProduct(
                with: layout.right(b, product).transposed,
                to: UnsafeMutableBufferPointer(rebasing: target[product.a]))
            }
          }
        }
        toLeft = result
      }
      if point.wants(1) {
        var result = Tensor(zeros: right.shape, T.dataType)
        try result.withMutableElements(of: T.self) { target in
          try left.withElements(of: T.self) { a in
            layout.forEachProduct { product in
              layout.left(a, product).transposed.addProduct(
                with: layout.output(g, product),
                to: UnsafeMutableBufferPointer(rebasing: target[product.b]))
            }
          }
        }
        toRight = result
      }
    }
    return [toLeft, toRight]
  }

  private struct Layout {
    let output: Shape
    private let rows: Int
    private let inner: Int
    private let columns: Int
    /// From matrix to matrix of the output.
    private let left: Broadcast
    private let right: Broadcast

    init(_ inputs: RealInputs) throws {
      let (a, b) = (try inputs.shape(0), try inputs.shape(1))
      guard a.rank >= 1, b.rank >= 1 else {
        throw OperatorError("expected operands of rank 1 or more, found \(a) and \(b)")
      }
      var batchA = a.dimensions.dropLast(2)
      let batchB = b.dimensions.dropLast(2)
      guard a[a.rank - 1] == b[max(0, b.rank - 2)] else {
        throw OperatorError("matrices \(a) and \(b) cannot be multiplied")
      }
      inner = a[a.rank - 1]
      columns = b.rank == 1 ? 1 : b[b.rank - 1]
      var batch = try OperatorError.wrapping { () throws(TensorError) in
        try Shape(Array(batchA)).broadcast(with: Shape(Array(batchB)))
      }
      output = try Shape(
        output: batch.dimensions + (a.rank == 1 ? [] : [a[a.rank - 2]])
          + (b.rank == 1 ? [] : [columns]))
      var rows = a.rank == 1 ? 1 : a[a.rank - 2]
      if batchB.isEmpty, output.count > 0 {
        // One matrix on the right: the whole stack on the left is one long matrix.
        rows *= batch.count
        batchA = []
        batch = try Shape([])
      }
      self.rows = rows
      left = try Broadcast(Shape(Array(batchA)), to: batch)
      right = try Broadcast(Shape(Array(batchB)), to: batch)
    }

    /// The elements of the three matrices of one product.
    struct Product {
      let a: Range<Int>
      let b: Range<Int>
      let y: Range<Int>
    }

    @inline(__always)
    func forEachProduct(_ body: (Product) -> Void) {
      // Without an inner axis all products are 0, and an empty stack has none.
      guard output.count > 0, inner > 0 else { return }
      for index in 0..<left.result.count {
        let a = left.offset(of: index) * rows * inner
        let b = right.offset(of: index) * inner * columns
        let y = index * rows * columns
        body(
          Product(
            a: a..<a + rows * inner, b: b..<b + inner * columns, y: y..<y + rows * columns))
      }
    }

    @inline(__always)
    func left<T: RealScalar>(_ a: UnsafeBufferPointer<T>, _ product: Product) -> Matrix<T> {
      Matrix(UnsafeBufferPointer(rebasing: a[product.a]), rows: rows, columns: inner)
    }

    @inline(__always)
    func right<T: RealScalar>(_ b: UnsafeBufferPointer<T>, _ product: Product) -> Matrix<T> {
      Matrix(UnsafeBufferPointer(rebasing: b[product.b]), rows: inner, columns: columns)
    }

    @inline(__always)
    func output<T: RealScalar>(_ y: UnsafeBufferPointer<T>, _ product: Product) -> Matrix<T> {
      Matrix(UnsafeBufferPointer(rebasing: y[product.y]), rows: rows, columns: columns)
    }
  }
}

// MARK: - Product

/// A matrix in memory, or the transpose of one.
struct Matrix<T: RealScalar> {
  private let elements: UnsafeBufferPointer<T>
  private let rows: Int
  private let columns: Int
  private let rowStride: Int
  private let columnStride: Int

  /// Elements of a block of the right operand that stays in the cache while all rows pass.
  private static var block: (rows: Int, columns: Int) { (64, 512) }

  /// Reads `[row, column]` elements, or `[column, row]` if the matrix is transposed.
  init(
    _ elements: UnsafeBufferPointer<T>, rows: Int, columns: Int, isTransposed: Bool = false
  ) {
    self.init(
      elements, rows, columns, rowStride: isTransposed ? 1 : columns,
      columnStride: isTransposed ? rows : 1)
  }

  /// Reads the element in `row` and `column` at `row · rowStride + column · columnStride`.
  init(
    _ elements: UnsafeBufferPointer<T>, _ rows: Int, _ columns: Int, rowStride: Int,
    columnStride: Int
  ) {
    self.elements = elements
    self.rows = rows
    self.columns = columns
    self.rowStride = rowStride
    self.columnStride = columnStride
  }

  var transposed: Matrix {
    Matrix(elements, columns, rows, rowStride: columnStride, columnStride: rowStride)
  }

  /// Adds `scale · self · right` to the elements `[row, column]` of a matrix.
  @inline(__always)
  func addProduct(
    with right: Matrix, scale: T = 1, to result: UnsafeMutableBufferPointer<T>
  ) {
    guard let a = elements.baseAddress, let b = right.elements.baseAddress,
      let y = result.baseAddress, !result.isEmpty, !elements.isEmpty
    else { return }
    if right.columnStride == 1 && right.columns > 1 {
      addRows(a, right, b, scale, y)
    } else {
      addScalarProducts(a, right, b, scale, y)
    }
  }

  /// The product where rows of the right operand are contiguous: a sum of such rows.
  @inline(__always)
  private func addRows(
    _ a: UnsafePointer<T>, _ right: Matrix, _ b: UnsafePointer<T>, _ scale: T,
    _ y: UnsafeMutablePointer<T>
  ) {
    let block = Self.block
    var weights = [T](repeating: 0, count: block.rows)
    var terms: [RowTerm<T>] = []
    terms.reserveCapacity(block.rows)
    for column in stride(from: 0, to: right.columns, by: block.columns) {
      let width = min(block.columns, right.columns - column)
      for inner in stride(from: 0, to: columns, by: block.rows) {
        let count = min(block.rows, columns - inner)
        terms.removeAll(keepingCapacity: true)
        for k in 0..<count {
          terms.append(
            RowTerm(
              source: b + (inner + k) * right.rowStride + column, lower: 0, upper: width, weight: k)
          )
        }
        weights.withUnsafeMutableBufferPointer { weights in
          terms.withUnsafeBufferPointer { terms in
            guard let weights = weights.baseAddress else { return }
            for row in 0..<rows {
              for k in 0..<count {
                weights[k] = scale * a[row * rowStride + (inner + k) * columnStride]
              }
              accumulate(terms, weights: weights, into: y + row * right.columns + column)
            }
          }
        }
      }
    }
  }

  /// The product where columns of the right operand are contiguous: scalar products with them.
  @inline(__always)
  private func addScalarProducts(
    _ a: UnsafePointer<T>, _ right: Matrix, _ b: UnsafePointer<T>, _ scale: T,
    _ y: UnsafeMutablePointer<T>
  ) {
    var packed = [T](repeating: 0, count: columnStride == 1 ? 0 : columns)
    packed.withUnsafeMutableBufferPointer { packed in
      for column in stride(from: 0, to: right.columns, by: Self.block.rows) {
        for row in 0..<rows {
          var left = a + row * rowStride
          if columnStride != 1, let copy = packed.baseAddress {
            for k in 0..<columns { copy[k] = left[k * columnStride] }
            left = UnsafePointer(copy)
          }
          for j in column..<min(column + Self.block.rows, right.columns) {
            y[row * right.columns + j] +=
              scale * dot(left, b + j * right.columnStride, stride: right.rowStride, count: columns)
          }
        }
      }
    }
  }
}
