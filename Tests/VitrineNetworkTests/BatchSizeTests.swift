import Testing
import VitrineNetwork

@Suite("Samples run together") struct BatchSizeTests {
  @Test("batches fill the cache, and exceed it only to repay reading large weights")
  func sizes() {
    for (widest, weights, expected) in [
      (4 << 20, 10 << 20, 5), (10 << 20, 100 << 20, 16), (26 << 20, 550 << 20, 9),
      (100 << 20, 0, 1), (1, 0, 256), (1, 1 << 30, 256), (0, 0, 256),
    ] {
      #expect(
        PreparedEngine.batch(widestOperatorBytes: widest, weightBytes: weights) == expected)
    }
  }
}
