import CVitrineKernels
import Testing

/// Memory for one run of kernels, freed together, with a gap of NaN around every buffer.
///
/// A kernel that lets memory outside its planes take part shows up as NaN in its results.
final class Workspace {
  private static let gap = 64
  private(set) var buffers: [UnsafeMutableRawPointer?] = []
  private var kept: [UnsafeMutableRawPointer] = []

  deinit {
    for pointer in kept { pointer.deallocate() }
  }

  private func allocate(bytes: Int) -> UnsafeMutableRawPointer {
    let pointer = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    kept.append(pointer)
    return pointer
  }

  /// Adds a buffer of floats, all NaN unless `value` is given, and returns its index.
  func addFloats(_ count: Int, value: Float = .nan) -> Int32 {
    let whole = allocate(bytes: 4 * (count + 2 * Self.gap))
    let floats = whole.bindMemory(to: Float.self, capacity: count + 2 * Self.gap)
    floats.initialize(repeating: .nan, count: count + 2 * Self.gap)
    (floats + Self.gap).update(repeating: value, count: count)
    buffers.append(UnsafeMutableRawPointer(floats + Self.gap))
    return Int32(buffers.count - 1)
  }

  func addFloats(_ values: [Float]) -> Int32 {
    let index = addFloats(values.count)
    floats(index).update(from: values, count: values.count)
    return index
  }

  /// Adds a buffer of 16-bit words, all `value`, and returns its index.
  func addWords(_ count: Int, value: UInt16 = 0xabcd) -> Int32 {
    let words = allocate(bytes: 2 * count + 64).bindMemory(to: UInt16.self, capacity: count + 32)
    words.initialize(repeating: value, count: count + 32)
    buffers.append(UnsafeMutableRawPointer(words))
    return Int32(buffers.count - 1)
  }

  func floats(_ index: Int32) -> UnsafeMutablePointer<Float> {
    buffers[Int(index)]!.assumingMemoryBound(to: Float.self)
  }

  func words(_ index: Int32) -> UnsafeMutablePointer<UInt16> {
    buffers[Int(index)]!.assumingMemoryBound(to: UInt16.self)
  }

  /// A copy of `values` that lives as long as the workspace, 64-byte aligned.
  func keep<Element>(_ values: [Element]) -> UnsafePointer<Element> {
    let bytes = max(1, values.count) * MemoryLayout<Element>.stride
    let copy = allocate(bytes: bytes).bindMemory(to: Element.self, capacity: values.count)
    copy.initialize(from: values, count: values.count)
    return UnsafePointer(copy)
  }

  func run(_ operation: vk_op, threads: Int32 = 1, on instructionSet: InstructionSet) {
    run([operation], threads: threads, on: instructionSet)
  }

  func run(_ operations: [vk_op], threads: Int32 = 1, on instructionSet: InstructionSet) {
    vk_run(operations, operations.count, buffers, threads, Int32(instructionSet.rawValue))
  }
}

/// A set of kernels, by name in test reports.
enum InstructionSet: UInt32, CaseIterable {
  case portable = 0
  case neon = 1
  case avx2 = 2
  case avx512 = 3

  /// Those that this machine can run.
  static var available: [InstructionSet] {
    allCases.filter { vk_isa_available(vk_isa($0.rawValue)) != 0 }
  }

  static var detected: InstructionSet {
    InstructionSet(rawValue: vk_detected_isa().rawValue) ?? .portable
  }
}

/// A reproducible sequence of small whole numbers, whose sums and products are exact in Float.
struct WholeNumbers {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func bits() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// A whole number in -4...4.
  mutating func next() -> Float { Float(Int(bits() % 9) - 4) }

  /// A fraction in -1..<1 with 24 bits, for tests of rounding.
  mutating func fraction() -> Float { Float(bits() >> 40) * 0x1p-23 - 1 }

  mutating func list(_ count: Int) -> [Float] { (0..<count).map { _ in next() } }
}
