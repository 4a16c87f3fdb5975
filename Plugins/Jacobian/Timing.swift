/// Returns how long `body` takes, by a clock that never goes back.
func seconds(_ body: () throws -> Void) rethrows -> Double {
  let duration = try ContinuousClock().measure(body)
  let (whole, attoseconds) = duration.components
  return Double(whole) + Double(attoseconds) * 1e-18
}

/// Returns the median time of an odd number of calls of `body`.
func medianSeconds(of count: Int, _ body: () throws -> Void) rethrows -> Double {
  var times: [Double] = []
  for _ in 0..<count { times.append(try seconds(body)) }
  return times.sorted()[count / 2]
}
