import CVitrineKernels
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite("Threads") struct TeamTests {
  /// A pass of `count` doublings, each large enough to be shared between threads.
  private static func doublings(_ count: Int, planes: BlockedPlanes) -> [vk_op] {
    (0..<count).map { i in
      var operation = vk_op()
      operation.kind = VK_ADD
      operation.as.elementwise.input = planes.map(buffer: Int32(i % 2))
      operation.as.elementwise.second = planes.map(buffer: Int32(i % 2))
      operation.as.elementwise.output = planes.map(buffer: Int32((i + 1) % 2))
      operation.as.elementwise.images = Int32(planes.images)
      operation.as.elementwise.blocks = Int32(planes.blocks)
      operation.as.elementwise.height = Int32(planes.height)
      operation.as.elementwise.width = Int32(planes.width)
      return operation
    }
  }

  /// The final values of ten doublings of ones, all of which must be 1024.
  private static func wrongValues(threads: Int32) -> Int {
    let planes = BlockedPlanes(1, 64, 64, 64)
    let workspace = Workspace()
    let first = workspace.addFloats(planes.count, value: 1)
    _ = workspace.addFloats(planes.count)
    workspace.run(Self.doublings(10, planes: planes), threads: threads, on: .detected)
    let floats = workspace.floats(first)
    return (0..<planes.count).count { floats[$0] != 1024 }
  }

  @Test("operations run one after the other, for any number of threads")
  func barriers() {
    for threads: Int32 in [-1, 0, 1, 2, 3, 4, 2, 1, 7] {
      #expect(Self.wrongValues(threads: threads) == 0)
    }
  }

  @Test("a pass after a long pause wakes the threads again")
  func wakes() {
    for _ in 0..<5 {
      #expect(Self.wrongValues(threads: 3) == 0)
      usleep(3000)
    }
  }

  @Test("concurrent callers all get their results")
  func concurrentCallers() async {
    await withTaskGroup(of: Int.self) { group in
      for caller in 0..<6 {
        group.addTask {
          (0..<10).reduce(0) { sum, _ in sum + Self.wrongValues(threads: Int32(caller % 3 + 1)) }
        }
      }
      for await wrong in group { #expect(wrong == 0) }
    }
  }

  @Test("many short passes do not lose work")
  func manyPasses() {
    let planes = BlockedPlanes(1, 32, 40, 40)
    let workspace = Workspace()
    let first = workspace.addFloats(planes.count, value: 0)
    let second = workspace.addFloats(planes.count, value: 1)
    var operation = Self.doublings(1, planes: planes)[0]
    operation.as.elementwise.second = planes.map(buffer: second)
    operation.as.elementwise.output = planes.map(buffer: first)
    for _ in 0..<2000 { workspace.run(operation, threads: 2, on: .detected) }
    let floats = workspace.floats(first)
    #expect((0..<planes.count).allSatisfy { floats[$0] == 2000 })
  }

  @Test("the machine has a core, an instruction set and a speed")
  func machine() {
    #expect(vk_hardware_threads() >= 1)
    #expect(vk_isa_available(vk_detected_isa()) == 1)
    #expect(vk_isa_available(VK_PORTABLE) == 1)
    #expect(vk_measure_peak(1, 0.01) > 1e8)
    let numbers = [Float](repeating: 1, count: 1 << 12)
    for threads in [1, 2, 3] as [Int32] {
      #expect(vk_measure_bandwidth(numbers, numbers.count, threads, 0.01) > 1e8)
    }
  }

  @Test("a timed run computes the same, and gives each operation its time")
  func timedRun() {
    let planes = BlockedPlanes(1, 32, 40, 40)
    let operations = Self.doublings(10, planes: planes)
    var seconds = [Double](repeating: 1, count: operations.count)
    let workspace = Workspace()
    let first = workspace.addFloats(planes.count, value: 1)
    _ = workspace.addFloats(planes.count)
    vk_run_timed(operations, operations.count, workspace.buffers, 2, -1, &seconds)
    let floats = workspace.floats(first)
    #expect((0..<planes.count).allSatisfy { floats[$0] == 1024 })
    #expect(seconds.allSatisfy { $0 > 1 && $0 < 2 })
  }
}
