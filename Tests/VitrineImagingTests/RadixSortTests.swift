import Testing
import VitrineImaging

@Suite("Radix sort") struct RadixSortTests {
  @Test("keys ascend, and equal keys stay in their order")
  func order() {
    var state: UInt32 = 7
    for (count, mask) in [(0, UInt32.max), (1, .max), (2, .max), (5000, .max), (5000, 0xF000_0F0F)]
    {
      let keys = (0..<count).map { _ in
        state = state &* 1_664_525 &+ 1_013_904_223
        return (state ^ state >> 15) & mask
      }
      let expected = keys.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }
      #expect(RadixSort.ascendingOrder(of: keys) == expected)
    }
    #expect(RadixSort.ascendingOrder(of: [.max, 0, .max, 1 << 31]) == [1, 3, 0, 2])
  }
}
