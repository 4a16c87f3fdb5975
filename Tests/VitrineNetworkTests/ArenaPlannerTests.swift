import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Places in an arena") struct ArenaPlannerTests {
  @Test("buffers alive at the same step lie apart, and those that are not share memory")
  func places() {
    var random = RandomGenerator(seed: 3)
    for count in [1, 2, 10, 60] {
      let buffers = (0..<count).map { _ in
        let first = Int.random(in: 0..<40, using: &random)
        return ArenaPlanner.Buffer(
          byteCount: Int.random(in: 0..<5000, using: &random), images: 1, firstStep: first,
          lastStep: first + Int.random(in: 0..<8, using: &random))
      }
      let (offsets, byteCount) = ArenaPlanner.place(buffers)
      for a in buffers.indices where buffers[a].byteCount > 0 {
        #expect(offsets[a] % 64 == 0 && offsets[a] + buffers[a].byteCount <= byteCount)
        for b in 0..<a
        where buffers[b].byteCount > 0 && buffers[a].firstStep <= buffers[b].lastStep
          && buffers[b].firstStep <= buffers[a].lastStep
        {
          // A vector may be read past the end of a buffer.
          #expect(
            offsets[a] + buffers[a].byteCount + 256 <= offsets[b]
              || offsets[b] + buffers[b].byteCount + 256 <= offsets[a])
        }
      }
      let all = buffers.reduce(0) { $0 + $1.byteCount + 320 }
      #expect(byteCount <= (count == 60 ? all / 2 : all))
    }
  }

  @Test("a large buffer does not leave a gap because it is born late")
  func largestFirst() {
    // In order of birth the last one lies behind the second: 30 kB instead of 20.
    let buffers = [(10_000, 0, 1), (9_000, 1, 3), (11_000, 3, 4)].map {
      ArenaPlanner.Buffer(byteCount: $0.0, images: 1, firstStep: $0.1, lastStep: $0.2)
    }
    #expect(ArenaPlanner.place(buffers).byteCount < 21_000)
  }
}
