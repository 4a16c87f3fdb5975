internal import VitrineCore
internal import VitrineTensor

/// The sites of one output's scores.
struct OutputScores: Sendable {
  /// Name of the tensor before the softmax.
  let logit: String
  /// Name of the output, if it holds probabilities; `nil` if it holds their logarithms.
  let probability: String?
}

/// Returns a port as the core describes it.
///
/// - Parameter sample: Its type when the network is called with one sample, if that is known.
func describe(_ port: Graph.Port, sample: ValueType?, isInput: Bool) -> Port {
  let declared = port.dimensions?.map { dimension -> Int? in
    if case .fixed(let extent) = dimension { return extent }
    return nil
  }
  var dimensions = declared ?? sample?.shape.dimensions.map { $0 } ?? []
  if !isInput, let sample, sample.shape.rank == dimensions.count, dimensions.count > 1 {
    // Exporters leave output extents out; inference knows them.
    for axis in 1..<dimensions.count { dimensions[axis] = sample.shape[axis] }
  }
  return Port(
    name: port.name, dataType: port.dataType, dimensions: dimensions, axes: axes(of: dimensions))
}

/// Returns what the axes of a port mean, judged by its rank and extents.
///
/// Rank 4 is `[batch, channel, height, width]` unless only the last extent looks like a number of
/// channels (1, 3 or 4), as TensorFlow's exporters leave it; rank 3 is a picture without a channel
/// axis.
private func axes(of dimensions: [Int?]) -> [Axis] {
  func isChannelCount(_ extent: Int?) -> Bool { extent.map { [1, 3, 4].contains($0) } ?? false }
  switch dimensions.count {
  case 0: return []
  case 1: return [.batch]
  case 2: return [.batch, .feature]
  case 3: return [.batch, .height, .width]
  case 4:
    return isChannelCount(dimensions[3]) && !isChannelCount(dimensions[1])
      ? [.batch, .height, .width, .channel] : [.batch, .channel, .height, .width]
  default:
    return [.batch, .channel] + Array(repeating: .position, count: dimensions.count - 2)
  }
}

extension Wiring {
  /// Returns every value that a node computes from the inputs, in execution order.
  ///
  /// - Parameter types: Types of all values for one sample, if known; constants are left out then.
  func layers(types: [ValueType]?) -> [Layer] {
    let depends = dependents(of: inputs)
    var taken: Set<String> = []
    var layers: [Layer] = []
    for node in nodes {
      for (position, output) in node.outputs.enumerated() {
        guard let output, depends[output], types?[output].constant == nil else { continue }
        let tensor = values[output].name
        let ownName =
          position == 0 && nodeNameIsUnambiguous(node.name, value: output)
          && !taken.contains(node.name)
        let name = ownName ? node.name : tensor
        taken.insert(name)
        layers.append(
          Layer(
            name: name, kind: node.kind, aliases: name == tensor ? [] : [tensor],
            dimensions: types?[output].shape.dimensions.map { $0 } ?? []))
      }
    }
    return layers
  }

  /// Finds the outputs that end in a softmax, possibly followed by operators that keep every element.
  func outputScores() -> [String: OutputScores] {
    var result: [String: OutputScores] = [:]
    for output in outputs {
      var value = output
      search: while case .node(let index, _) = values[value].source {
        let node = nodes[index]
        guard let first = node.inputs.first, let input = first else { break }
        switch node.kind {
        case "Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Dropout", "Cast":
          value = input
        case "Softmax", "LogSoftmax":
          result[values[output].name] = OutputScores(
            logit: values[input].name,
            probability: node.kind == "Softmax" ? values[output].name : nil)
          break search
        default: break search
        }
      }
    }
    return result
  }

  /// Returns multiplications with addition of convolutions, matrix products and recurrent layers.
  func multiplyAdds(_ types: [ValueType]) -> Int {
    nodes.reduce(0) { $0 + multiplyAdds(of: $1, types) }
  }

  /// Returns those of one node; 0 for anything else.
  func multiplyAdds(of node: Node, _ types: [ValueType]) -> Int {
    guard let output = node.outputs.compactMap({ $0 }).first, types[output].constant == nil,
      node.inputs.count > 1, let left = node.inputs[0], let right = node.inputs[1]
    else { return 0 }
    switch node.kind {
    case "Conv":
      let weight = types[right].shape
      guard weight.rank > 1, weight[0] > 0 else { return 0 }
      return types[output].shape.count * (weight.count / weight[0])
    case "Gemm":
      let shape = types[right].shape
      let columns = types[output].shape.dimensions.last ?? 0
      guard columns > 0 else { return 0 }
      return types[output].shape.count * (shape.count / columns)
    case "MatMul":
      return types[output].shape.count * (types[left].shape.dimensions.last ?? 0)
    case "GRU", "LSTM", "RNN":
      guard node.inputs.count > 2, let recurrent = node.inputs[2] else { return 0 }
      // Every step of every sequence meets all weights once.
      let steps = types[left].shape.dimensions.dropLast().reduce(1, *)
      return steps * (types[right].shape.count + types[recurrent].shape.count)
    default: return 0
    }
  }
}
