import VitrineTensor

/// A row of numbers that takes part in a weighted sum of rows.
///
/// Convolutions and matrix products are such sums; formed over contiguous rows, they run at the speed
/// of the machine's vectors although the sum of each single element has a fixed order.
struct RowTerm<T: RealScalar> {
  /// Element `i` of the row, for `i` in `lower..<upper`; nothing else may be read.
  let source: UnsafePointer<T>
  let lower: Int
  let upper: Int
  /// Where the row's weight is.
  let weight: Int
}

/// Adds `weights[term.weight] · term.source` to a row for all terms, in their order.
///
/// Four rows are added at a time: `target += a + b + c + d` needs 6 accesses of memory for 4
/// multiplications, one row after the other needs 12.
@inline(__always)
func accumulate<T: RealScalar>(
  _ terms: UnsafeBufferPointer<RowTerm<T>>, weights: UnsafePointer<T>,
  into target: UnsafeMutablePointer<T>
) {
  var index = 0
  while index + 4 <= terms.count {
    let a = terms[index]
    let b = terms[index + 1]
    let c = terms[index + 2]
    let d = terms[index + 3]
    let lower = max(max(a.lower, b.lower), max(c.lower, d.lower))
    let upper = max(lower, min(min(a.upper, b.upper), min(c.upper, d.upper)))
    if lower < upper {
      let (wa, wb) = (weights[a.weight], weights[b.weight])
      let (wc, wd) = (weights[c.weight], weights[d.weight])
      let (sa, sb, sc, sd) = (a.source, b.source, c.source, d.source)
      for i in lower..<upper {
        target[i] += wa * sa[i] + wb * sb[i] + wc * sc[i] + wd * sd[i]
      }
    }
    for k in index..<index + 4 {
      let term = terms[k]
      add(term, from: term.lower, to: min(lower, term.upper), weights, target)
      add(term, from: max(upper, term.lower), to: term.upper, weights, target)
    }
    index += 4
  }
  while index < terms.count {
    add(terms[index], from: terms[index].lower, to: terms[index].upper, weights, target)
    index += 1
  }
}

@inline(__always)
private func add<T: RealScalar>(
  _ term: RowTerm<T>, from lower: Int, to upper: Int, _ weights: UnsafePointer<T>,
  _ target: UnsafeMutablePointer<T>
) {
  guard lower < upper else { return }
  let weight = weights[term.weight]
  let source = term.source
  for i in lower..<upper { target[i] += weight * source[i] }
}

/// Returns the scalar product of two rows, the second one with a stride.
///
/// Eight partial sums run side by side; they are added in pairs.
@inline(__always)
func dot<T: RealScalar>(
  _ a: UnsafePointer<T>, _ b: UnsafePointer<T>, stride: Int = 1, count: Int
) -> T {
  var (s0, s1, s2, s3) = (T.zero, T.zero, T.zero, T.zero)
  var (s4, s5, s6, s7) = (T.zero, T.zero, T.zero, T.zero)
  var i = 0
  while i + 8 <= count {
    s0 += a[i] * b[i * stride]
    s1 += a[i + 1] * b[(i + 1) * stride]
    s2 += a[i + 2] * b[(i + 2) * stride]
    s3 += a[i + 3] * b[(i + 3) * stride]
    s4 += a[i + 4] * b[(i + 4) * stride]
    s5 += a[i + 5] * b[(i + 5) * stride]
    s6 += a[i + 6] * b[(i + 6) * stride]
    s7 += a[i + 7] * b[(i + 7) * stride]
    i += 8
  }
  while i < count {
    s0 += a[i] * b[i * stride]
    i += 1
  }
  return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
}

/// Returns the sum of a row, from eight partial sums that are added in pairs.
@inline(__always)
func sum<T: RealScalar>(_ row: UnsafeBufferPointer<T>) -> T {
  var (s0, s1, s2, s3) = (T.zero, T.zero, T.zero, T.zero)
  var (s4, s5, s6, s7) = (T.zero, T.zero, T.zero, T.zero)
  var i = 0
  while i + 8 <= row.count {
    s0 += row[i]
    s1 += row[i + 1]
    s2 += row[i + 2]
    s3 += row[i + 3]
    s4 += row[i + 4]
    s5 += row[i + 5]
    s6 += row[i + 6]
    s7 += row[i + 7]
    i += 8
  }
  while i < row.count {
    s0 += row[i]
    i += 1
  }
  return ((s0 + s4) + (s2 + s6)) + ((s1 + s5) + (s3 + s7))
}
