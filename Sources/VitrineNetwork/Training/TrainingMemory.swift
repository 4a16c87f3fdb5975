internal import CVitrineKernels
internal import VitrineTensor

/// The floats of a ``TrainingPlan``, zeros at first.
final class TrainingMemory {
  private let base: UnsafeMutablePointer<Float>

  /// Reserves `count` floats, and some after them that kernels may read.
  init(count: Int) {
    let bytes = (count + Self.slack) * 4
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    base = memory.bindMemory(to: Float.self, capacity: count + Self.slack)
  }

  deinit { base.deallocate() }

  private static let slack = 256

  func run(_ operations: [vk_train_op], threads: Int) {
    var buffer: UnsafeMutableRawPointer? = UnsafeMutableRawPointer(base)
    vk_train_run(operations, operations.count, &buffer, Int32(threads), -1)
  }

  func read(_ shape: Shape, at place: Int) -> Tensor {
    Tensor(uninitialized: shape, of: Float.self) { elements in
      _ = elements.update(
        fromContentsOf: UnsafeBufferPointer(start: base + place, count: shape.count))
    }
  }

  func write(_ tensor: Tensor, at place: Int, adds: Bool = false) throws {
    try tensor.withElements(of: Float.self) { elements in
      guard let source = elements.baseAddress else { return }
      let target = base + place
      if adds {
        for i in 0..<elements.count { target[i] += source[i] }
      } else {
        target.update(from: source, count: elements.count)
      }
    }
  }

  func clear(_ shape: Shape, at place: Int) {
    (base + place).update(repeating: 0, count: shape.count)
  }
}
