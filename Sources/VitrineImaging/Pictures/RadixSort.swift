/// The order of many numbers without comparing them: for the pixels of a map several times as fast as sorting.
package enum RadixSort {
  private static let digitBits = 11

  /// Returns the indices of keys such that the keys ascend; equal keys stay in their order.
  ///
  /// - Complexity: O(n) for n keys.
  package static func ascendingOrder(of keys: [UInt32]) -> [Int] {
    var order = Array(keys.indices)
    var moved = order
    let mask = UInt32(1 << digitBits - 1)
    for shift in stride(from: UInt32(0), to: 32, by: digitBits) {
      var places = [Int](repeating: 0, count: 1 << digitBits)
      for key in keys { places[Int(key >> shift & mask)] += 1 }
      var total = 0
      for digit in places.indices {
        (places[digit], total) = (total, total + places[digit])
      }
      for index in order {
        let digit = Int(keys[index] >> shift & mask)
        moved[places[digit]] = index
        places[digit] += 1
      }
      swap(&order, &moved)
    }
    return order
  }
}
