internal import CVitrineKernels
internal import Synchronization

/// What an operation of a plan is there for.
enum OperationPurpose: Sendable, Hashable {
  /// Values of the fused node with this index.
  case forward(Int)
  /// Cotangents of what it reads.
  case backward(Int)
  /// Values that change their layout where they enter or leave the plan.
  case transfer
}

/// A fused node as a log names it.
struct PlannedLayer: Sendable {
  let name: String
  /// What it computes, such as `Conv+Relu`.
  let kinds: String
  /// Multiplications with addition of one run, forward and, for all cotangents together, backward.
  let multiplyAdds: (forward: Int, backward: Int)
}

/// How much time the operations of one layer took, in one direction.
package struct LayerTime: Sendable {
  /// Name of the layer; of the first where several are computed together, empty for values that enter or
  /// leave the network.
  package let layer: String
  /// What is computed, such as `Conv+Relu`.
  package let kinds: String
  package let isBackward: Bool
  /// What ran, such as `convolution`, or `operator` for what has no kernel, with the time of each.
  package fileprivate(set) var kernels: [(name: String, seconds: Double)] = []
  /// All runs together.
  package fileprivate(set) var seconds = 0.0
  /// Multiplications with addition that convolutions and matrix products need when computed without
  /// shortcuts, all runs together; 0 for other layers.
  package fileprivate(set) var multiplyAdds = 0

  /// Makes an entry for an operation.
  fileprivate init(_ purpose: OperationPurpose, among layers: [PlannedLayer]) {
    switch purpose {
    case .forward(let index), .backward(let index):
      (layer, kinds) = (layers[index].name, layers[index].kinds)
    case .transfer: (layer, kinds) = ("", "transfer")
    }
    isBackward = if case .backward = purpose { true } else { false }
  }
}

/// Sums of the times of plans' operations.
final class OperationLog: Sendable {
  private struct Key: Hashable {
    let layer: String
    let isBackward: Bool
  }

  private let entries = Mutex<(order: [Key], times: [Key: LayerTime])>(([], [:]))

  /// In the order in which they first ran.
  var times: [LayerTime] {
    entries.withLock { entries in entries.order.compactMap { entries.times[$0] } }
  }

  /// Adds the time of one operation.
  ///
  /// - Parameter kind: Of the kernel; `nil` for a step without one.
  func add(
    _ seconds: Double, to purpose: OperationPurpose, among layers: [PlannedLayer], kind: vk_kind?
  ) {
    let name = kind.map(kernelName) ?? "operator"
    update(purpose, layers) { entry in
      entry.seconds += seconds
      if let index = entry.kernels.firstIndex(where: { $0.name == name }) {
        entry.kernels[index].seconds += seconds
      } else {
        entry.kernels.append((name, seconds))
      }
    }
  }

  /// Counts the arithmetic of one run of a plan.
  func countRun(of purposes: Set<OperationPurpose>, among layers: [PlannedLayer]) {
    for purpose in purposes {
      let count =
        switch purpose {
        case .forward(let index): layers[index].multiplyAdds.forward
        case .backward(let index): layers[index].multiplyAdds.backward
        case .transfer: 0
        }
      if count > 0 { update(purpose, layers) { $0.multiplyAdds += count } }
    }
  }

  private func update(
    _ purpose: OperationPurpose, _ layers: [PlannedLayer], _ change: (inout LayerTime) -> Void
  ) {
    let empty = LayerTime(purpose, among: layers)
    let key = Key(layer: empty.layer, isBackward: empty.isBackward)
    entries.withLock { entries in
      if entries.times[key] == nil { entries.order.append(key) }
      change(&entries.times[key, default: empty])
    }
  }
}

/// Whether operations are timed at the moment, and where their times go.
final class Stopwatch: Sendable {
  private let current = Mutex<OperationLog?>(nil)

  /// `nil` unless ``time(_:)`` is running.
  var log: OperationLog? { current.withLock(\.self) }

  /// Returns the times of what runs during `body`, on whatever thread.
  func time(_ body: () throws -> Void) rethrows -> [LayerTime] {
    let log = OperationLog()
    current.withLock { $0 = log }
    defer { current.withLock { $0 = nil } }
    try body()
    return log.times
  }
}

/// What people call a kernel.
private func kernelName(_ kind: vk_kind) -> String {
  switch kind {
  case VK_CONVOLUTION: "convolution"
  case VK_WINOGRAD: "Winograd convolution"
  case VK_SPECTRAL: "spectral convolution"
  case VK_DEPTHWISE: "depthwise convolution"
  case VK_MAX_POOL, VK_MAX_POOL_BACKWARD: "max pooling"
  case VK_AVERAGE_POOL, VK_AVERAGE_POOL_BACKWARD: "average pooling"
  case VK_GLOBAL_AVERAGE, VK_GLOBAL_AVERAGE_BACKWARD: "global average"
  case VK_PACK, VK_UNPACK, VK_SURROUND: "layout"
  case VK_FILL: "fill"
  case VK_MATRIX_PRODUCT: "matrix product"
  default: "elementwise"
  }
}

extension PlanBuilder {
  /// The fused nodes as a log names them.
  var plannedLayers: [PlannedLayer] {
    nodes.map { fused in
      let node = wiring.nodes[fused.node]
      let further = [
        fused.batchNormalization.map { wiring.nodes[$0].kind },
        fused.biasValue == nil && fused.residual == nil ? nil : "Add",
        fused.activation.map { wiring.nodes[$0.node].kind },
      ]
      let count = wiring.multiplyAdds(of: node, types)
      return PlannedLayer(
        name: node.name, kinds: ([node.kind] + further.compactMap(\.self)).joined(separator: "+"),
        multiplyAdds: (count, count * max(request.cotangents, 1)))
    }
  }
}

extension Network {
  /// Returns how long each layer took during `body`, if the network computes in float32.
  ///
  /// - Complexity: That of `body`; reading the clock costs some 50 ns for each operation.
  package func layerTimes(during body: () throws -> Void) rethrows -> [LayerTime] {
    try engines.stopwatch.time(body)
  }
}
