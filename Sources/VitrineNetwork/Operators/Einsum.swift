package import VitrineTensor

/// Sums of products of up to three operands, as Einstein's convention writes them: `bij,bjk->bik`.
///
/// A letter names an axis wherever it stands; letters that the result lacks are summed over. A letter
/// twice in one operand is its diagonal; `...` stands for axes that broadcast. Without an arrow the
/// result has the letters that occur once, in alphabetical order.
package struct Einsum: Operator {
  private let equation: Equation

  package init(_ node: NodeReader) throws {
    equation = try Equation(node.string("equation"))
    let count = equation.operands.count
    try node.expect(inputs: count...count)
  }

  package var pushforwardRule: PushforwardRule { .multilinear(additive: []) }

  package func infer(_ inputs: [ValueType?]) throws -> [ValueType] {
    [ValueType(try Layout(equation, shapes(of: inputs)).output, .float32)]
  }

  private func shapes(of inputs: [ValueType?]) throws -> [Shape] {
    try equation.operands.indices.map { index in
      let input = try inputs.required(index, "Inputs[\(index)]")
      try input.expect(.float32, as: "Inputs[\(index)]")
      return input.shape
    }
  }

  @_specialize(where T == Float)
  @_specialize(where T == Double)
  package func evaluate<T: RealScalar>(_ inputs: [Tensor?], _: T.Type) throws -> [Tensor] {
    let layout = try Layout(equation, shapes(of: inputs.types))
    let operands = try inputs.map { try $0?.elements(of: T.self) ?? [] }
    var result = Tensor(zeros: layout.output, T.dataType)
    var loop = layout.loop
    let (count, steps) = (loop.rowLength, loop.rowStrides)
    try result.withMutableElements(of: T.self) { y in
      layout.withFactors(operands) { a, b, c in
        loop.forEachRow { row in
          if steps[0] == 0 {
            var sum = T.zero
            for k in 0..<count {
              sum +=
                a[row[1] + k * steps[1]] * b[row[2] + k * steps[2]] * c[row[3] + k * steps[3]]
            }
            y[row[0]] += sum
          } else {
            for k in 0..<count {
              y[row[0] + k * steps[0]] +=
                a[row[1] + k * steps[1]] * b[row[2] + k * steps[2]] * c[row[3] + k * steps[3]]
            }
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
    let layout = try Layout(equation, shapes(of: point.inputs.types))
    let operands = try point.inputs.map { try $0?.elements(of: T.self) ?? [] }
    return try point.pulledBack(cotangents) { index in
      guard let cotangent = cotangents[0], let input = point.inputs[index] else { return nil }
      var result = Tensor(zeros: input.shape, T.dataType)
      var loop = layout.loop
      let (count, steps) = (loop.rowLength, loop.rowStrides)
      // The derivative with respect to a factor is the product of the others.
      var others = operands
      others[index] = [1]
      try cotangent.read(as: T.self) { g in
        try result.withMutableElements(of: T.self) { target in
          layout.withFactors(others) { a, b, c in
            var active = StridedLoop.Offsets(repeating: 1)
            active[index + 1] = 0
            let own = index + 1
            loop.forEachRow { row in
              let start = row &* active
              let step = steps &* active
              for k in 0..<count {
                target[row[own] + k * steps[own]] +=
                  g[row[0] + k * steps[0]] * a[start[1] + k * step[1]]
                  * b[start[2] + k * step[2]] * c[start[3] + k * step[3]]
              }
            }
          }
        }
      }
      return result
    }
  }

  /// An equation, read: an axis is a letter, or a number below 0 for one that `...` stands for.
  fileprivate struct Equation: Sendable {
    struct Term: Sendable {
      var before: [UInt8] = []
      var after: [UInt8] = []
      var hasEllipsis = false

      var letters: [UInt8] { before + after }
    }

    let operands: [Term]
    let result: Term

    init(_ text: String) throws {
      let bytes = text.utf8.filter { $0 != 0x20 }
      guard bytes.count <= 256 else {
        throw OperatorError("equation: expected at most 256 characters, found \(bytes.count)")
      }
      var terms: [Term] = [Term()]
      var hasArrow = false
      var index = 0
      while index < bytes.count {
        let rest = bytes[index...]
        if rest.starts(with: "...".utf8) {
          guard !terms[terms.count - 1].hasEllipsis else { throw Self.malformed(text) }
          terms[terms.count - 1].hasEllipsis = true
          index += 3
          continue
        }
        if rest.starts(with: "->".utf8) {
          guard !hasArrow else { throw Self.malformed(text) }
          hasArrow = true
          terms.append(Term())
          index += 2
          continue
        }
        switch bytes[index] {
        case UInt8(ascii: ","):
          guard !hasArrow else { throw Self.malformed(text) }
          terms.append(Term())
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
          if terms[terms.count - 1].hasEllipsis {
            terms[terms.count - 1].after.append(bytes[index])
          } else {
            terms[terms.count - 1].before.append(bytes[index])
          }
        default: throw Self.malformed(text)
        }
        index += 1
      }
      operands = Array(hasArrow ? terms.dropLast() : terms[...])
      guard (1...3).contains(operands.count) else {
        throw OperatorError("equation: expected 1 to 3 operands, found \(operands.count)")
      }
      let letters = operands.flatMap(\.letters)
      if hasArrow {
        result = terms[terms.count - 1]
      } else {
        var implied = Term()
        implied.hasEllipsis = operands.contains(where: \.hasEllipsis)
        implied.after = Set(letters).sorted().filter { letter in
          letters.count(where: { $0 == letter }) == 1
        }
        result = implied
      }
      let own = result.letters
      guard own.allSatisfy(letters.contains), Set(own).count == own.count,
        !result.hasEllipsis || operands.contains(where: \.hasEllipsis)
      else { throw Self.malformed(text) }
    }

    private static func malformed(_ text: String) -> OperatorError {
      OperatorError("equation: expected letters as in 'bij,bjk->bik', found '\(text)'")
    }
  }

  /// An equation with the shapes of its operands: one loop over all axes.
  fileprivate struct Layout {
    let output: Shape
    /// Over the result and the operands; where there are less than three, they do not move.
    let loop: StridedLoop

    init(_ equation: Equation, _ shapes: [Shape]) throws {
      // How many axes `...` stands for.
      var hidden = 0
      for (term, shape) in zip(equation.operands, shapes) {
        let named = term.letters.count
        guard term.hasEllipsis ? shape.rank >= named : shape.rank == named else {
          throw OperatorError("an operand with \(named) named axes has the shape \(shape)")
        }
        hidden = max(hidden, shape.rank - named)
      }
      func axes(_ term: Equation.Term, rank: Int) -> [Int] {
        let count = rank - term.letters.count
        return term.before.map(Int.init) + (0..<count).map { $0 - count } + term.after.map(Int.init)
      }
      var extents: [Int: Int] = [:]
      for (term, shape) in zip(equation.operands, shapes) {
        for (axis, name) in axes(term, rank: shape.rank).enumerated() {
          let known = extents[name] ?? 1
          guard known == 1 || shape[axis] == 1 || known == shape[axis] else {
            throw OperatorError(
              "an axis has the extent \(known) in one operand and \(shape[axis]) in another")
          }
          extents[name] = extents[name] == nil || known == 1 ? shape[axis] : known
        }
      }
      let results = axes(
        equation.result,
        rank: equation.result.letters.count + (equation.result.hasEllipsis ? hidden : 0))
      output = try Shape.checked(results.map { extents[$0] ?? 1 })
      let summed = extents.keys.filter { !results.contains($0) }.sorted()
      let order = results + summed
      // The number of products must be addressable.
      _ = try Shape.checked(order.map { extents[$0] ?? 1 })

      func strides(_ names: [Int], _ shape: Shape) -> [Int] {
        order.map { name in
          zip(names.indices, shape.strides).reduce(0) { sum, axis in
            names[axis.0] == name && shape[axis.0] != 1 ? sum + axis.1 : sum
          }
        }
      }
      let operands = zip(equation.operands, shapes).map { strides(axes($0, rank: $1.rank), $1) }
      let still = [Int](repeating: 0, count: order.count)
      loop = StridedLoop(
        order.map { extents[$0] ?? 1 }, strides: strides(results, output), operands[0],
        operands.count > 1 ? operands[1] : still, operands.count > 2 ? operands[2] : still)
    }

    /// Calls `body` with three factors: 1 for each missing one.
    @inline(__always)
    func withFactors<T: RealScalar>(
      _ operands: [[T]],
      _ body: (UnsafeBufferPointer<T>, UnsafeBufferPointer<T>, UnsafeBufferPointer<T>) -> Void
    ) {
      let one: [T] = [1]
      operands[0].withUnsafeBufferPointer { a in
        (operands.count > 1 ? operands[1] : one).withUnsafeBufferPointer { b in
          (operands.count > 2 ? operands[2] : one).withUnsafeBufferPointer { c in body(a, b, c) }
        }
      }
    }
  }
}
