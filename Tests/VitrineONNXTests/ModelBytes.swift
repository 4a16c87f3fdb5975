import VitrineNetwork
import VitrineONNX
import VitrineTensor

/// Models made byte by byte, so that tests can put anything anywhere.
enum ModelBytes {
  /// A model with an opset and a graph whose content `body` writes.
  static func model(
    ir: Int64 = 8, opset: Int64 = 17, _ body: (inout ByteWriter) -> Void
  ) -> [UInt8] {
    var writer = ByteWriter()
    writer.integer(1, ir)
    writer.message(7, body)
    writer.message(8) { $0.integer(2, opset) }
    return writer.bytes
  }

  /// A model with one initializer, `w`, whose `TensorProto` fields `body` writes.
  static func initializer(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
    model { graph in
      graph.message(5) { tensor in
        tensor.string(8, "w")
        body(&tensor)
      }
    }
  }

  /// A model with one initializer that has raw data.
  static func initializer(type: Int64, dimensions: [Int64], raw: [UInt8]) -> [UInt8] {
    initializer { tensor in
      tensor.integers(1, dimensions)
      tensor.integer(2, type)
      tensor.data(9, raw)
    }
  }

  /// A model with one initializer whose data is elsewhere.
  static func external(
    type: Int64 = 1, dimensions: [Int64] = [2], _ entries: [(String, String)]
  ) -> [UInt8] {
    initializer { tensor in
      tensor.integers(1, dimensions)
      tensor.integer(2, type)
      for (key, value) in entries {
        tensor.message(13) { entry in
          entry.string(1, key)
          entry.string(2, value)
        }
      }
      tensor.integer(14, 1)
    }
  }

  /// `y = Relu(Gemm(x, w, b))` with everything a small model has.
  static func small() throws -> Graph {
    Graph(
      name: "small", opset: 17,
      inputs: [.init(name: "x", dataType: .float32, dimensions: [.dynamic("batch"), .fixed(3)])],
      outputs: [.init(name: "y", dataType: .float32, dimensions: [.dynamic(""), .fixed(2)])],
      nodes: [
        .init(
          name: "dense", kind: "Gemm", inputs: ["x", "w", "b"], outputs: ["h"],
          attributes: [
            "alpha": .real(0.5), "transB": .integer(1), "note": .string("as is"),
            "negative": .integers([-1, 300]), "reals": .reals([0.25, -2]),
            "names": .strings(["a", ""]),
            "value": .tensor(Tensor(scalar: Int64(-7))),
          ]),
        .init(name: "", kind: "Clip", inputs: ["h", "", "top"], outputs: ["y"]),
        .init(name: "other", kind: "Own", domain: "com.example", inputs: ["y"], outputs: [""]),
      ],
      constants: [
        "w": try Tensor([1, -2, 3.5, 0, .infinity, 6] as [Float], shape: [2, 3]),
        "b": Tensor([0.5, -0.5] as [Double]),
        "top": Tensor(scalar: Float(6)),
        "mask": Tensor([true, false, true]),
        "empty": try Tensor([Int64](), shape: [0, 4]),
      ])
  }
}

/// Returns the error that reading the bytes ends with, or `nil` if they are accepted.
func failure(
  _ bytes: [UInt8], folder: String? = nil, limits: ONNXLimits = ONNXLimits()
) -> ONNXError? {
  do throws(ONNXError) {
    _ = try ONNX.graph(bytes: bytes, folder: folder, limits: limits)
    return nil
  } catch {
    return error
  }
}

extension ONNXError {
  var isMalformed: Bool {
    if case .malformed = self { true } else { false }
  }

  var isUnsupported: Bool {
    if case .unsupported = self { true } else { false }
  }

  func mentions(_ text: String) -> Bool {
    description.split(separator: text, maxSplits: 1, omittingEmptySubsequences: false).count == 2
  }
}

/// The same sequence of numbers from the same seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}
