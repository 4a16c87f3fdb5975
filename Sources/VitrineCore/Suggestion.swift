/// Returns the name that someone who typed `name` most likely meant, or `nil` if none is close.
///
/// Close means an edit distance (insertion, deletion, substitution, transposition of neighbours) of
/// at most two, or a third of the length for longer names; or the one name that starts with it.
public func closestName(to name: String, among names: [String]) -> String? {
  let typed = Array(name.lowercased().unicodeScalars)
  let allowed = max(2, typed.count / 3)
  var best: (name: String, distance: Int)?
  for candidate in names {
    let letters = Array(candidate.lowercased().unicodeScalars)
    guard abs(letters.count - typed.count) <= allowed else { continue }
    let distance = editDistance(typed, letters)
    if distance <= allowed, distance < (best?.distance ?? .max), distance < letters.count {
      best = (candidate, distance)
    }
  }
  if let best { return best.name }
  let prefixed = names.filter { $0.lowercased().hasPrefix(name.lowercased()) }
  return name.isEmpty || prefixed.count != 1 ? nil : prefixed[0]
}

/// Optimal string alignment distance.
private func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...b.count)
  for i in 0..<a.count {
    var row = [i + 1]
    for j in 0..<b.count {
      var cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
        cost = min(cost, beforeLast[j - 1] + 1)
      }
      row.append(cost)
    }
    beforeLast = last
    last = row
  }
  return last[b.count]
}
