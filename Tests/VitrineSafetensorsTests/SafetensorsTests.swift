import Foundation
import Testing
import VitrineLayers
import VitrineNetwork
import VitrineSafetensors
import VitrineTensor

@Suite("Safetensors")
struct SafetensorsTests {
  /// Returns the bytes of a file with this header and so many bytes of data, 0, 1, 2, ….
  private func file(_ header: String, dataCount: Int = 0) -> [UInt8] {
    let text = Array(header.utf8)
    return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
      + (0..<dataCount).map { UInt8(truncatingIfNeeded: $0) }
  }

  private func temporaryFolder() throws -> String {
    let folder = NSTemporaryDirectory() + "vitrine-safetensors-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    return folder
  }

  /// `safetensors.numpy.save({"a": np.array([[1, -2.5]], np.float32), "b": np.array([3], np.int64),
  /// "c": np.array([True, False])}, {"made": "by"})` of safetensors 0.5.
  @Test("a file of the reference implementation is read")
  func reference() throws {
    let header =
      #"{"__metadata__":{"made":"by"},"b":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"#
      + #""a":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]},"#
      + #""c":{"dtype":"BOOL","shape":[2],"data_offsets":[16,18]}}    "#
    let data: [UInt8] = [
      3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0, 1, 0,
    ]
    let tensors = try Safetensors.tensors(bytes: file(header) + data)
    #expect(tensors.count == 3)
    #expect(tensors["a"] == (try Tensor([1, -2.5] as [Float], shape: [1, 2])))
    #expect(tensors["b"] == Tensor([Int64(3)]))
    #expect(tensors["c"] == Tensor([true, false]))
  }

  @Test("tensors written and read back have the same bits, names and shapes")
  func roundTrip() throws {
    let tensors: [String: Tensor] = [
      "weight": try Tensor(
        [0.5, -.infinity, .nan, .leastNonzeroMagnitude] as [Float], shape: [2, 2]),
      "a \"quoted\" \\ name\n\u{1} 😀": Tensor([1.0 / 3]),
      "empty": Tensor(zeros: try Shape([0, 3])), "scalar": Tensor(scalar: Float(2)),
      "flags": Tensor([true, false, true]), "counts": Tensor([Int64.min, .max]),
    ]
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = folder + "/weights.safetensors"
    try Safetensors.write(tensors, metadata: ["format": "pt"], to: path)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["weights.safetensors"])
    #expect(try Safetensors.tensors(contentsOf: path) == tensors)
    let bytes = Safetensors.bytes(of: tensors, metadata: ["format": "pt"])
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(bytes))
    // The data start at a multiple of eight.
    #expect(bytes[0] % 8 == 0)
  }

  @Test("every type is widened exactly")
  func types() throws {
    let cases: [(String, [UInt8], Tensor)] = [
      ("F16", [0x00, 0x3c, 0x00, 0xfc], Tensor([Float(1), -.infinity])),
      ("BF16", [0x80, 0x3f, 0x00, 0xc0], Tensor([Float(1), -2])),
      ("F64", [0, 0, 0, 0, 0, 0, 0xf0, 0x3f], Tensor([1.0])),
      ("U8", [0, 255], Tensor([Int64(0), 255])), ("I8", [0xff, 0x7f], Tensor([Int64(-1), 127])),
      ("U16", [0xff, 0xff], Tensor([Int64(65535)])), ("I16", [0, 0x80], Tensor([Int64(-32768)])),
      ("U32", [255, 255, 255, 255], Tensor([Int64(4_294_967_295)])),
      ("I32", [254, 255, 255, 255], Tensor([Int64(-2)])),
      ("U64", [1, 0, 0, 0, 0, 0, 0, 0], Tensor([Int64(1)])),
      ("BOOL", [0, 2], Tensor([false, true])),
    ]
    for (type, data, expected) in cases {
      let header =
        "{\"x\":{\"dtype\":\"\(type)\",\"shape\":[\(expected.count)],"
        + "\"data_offsets\":[0,\(data.count)]}}"
      #expect(try Safetensors.tensors(bytes: file(header) + data) == ["x": expected], "\(type)")
    }
    #expect(throws: SafetensorsError.unsupportedType(tensor: "x", type: "F8_E4M3")) {
      try Safetensors.tensors(
        bytes: file(#"{"x":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#, dataCount: 1))
    }
  }

  /// Case 19 of the threat model, and the cases of the reference implementation's tests.
  @Test(
    "hostile headers are refused",
    arguments: [
      ("", 0), ("{", 0), ("[]", 0), ("{}x", 0), ("{} {}", 0), ("{}", 1), ("\u{feff}{}", 0),
      (#"{"x":1}"#, 0), (#"{"x":{}}"#, 0), (#"{"x":{"dtype":"F32"}}"#, 0),
      (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 3),
      (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5),
      (#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4),
      (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4),
      (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4),
      (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}"#, 4),
      (#"{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4),
      (#"{"x":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, 4),
      (#"{"x":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}"#, 4),
      (#"{"x":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}"#, 4),
      (#"{"x":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}}"#, 4),
      (#"{"x":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, 0),
      (#"{"x":{"dtype":"F32","shape":[4611686018427387904,0],"data_offsets":[0,0]}}"#, 0),
      (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":[]}}"#, 4),
      (#"{"x":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
      (
        #"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"#
          + #""x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8
      ),
      (
        #"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"#
          + #""y":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#, 6
      ),
      (
        #"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"#
          + #""y":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#, 12
      ),
      (
        #"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"#
          + #""y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4
      ),
      (#"{"x\u0000":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
      (#"{"\ud800":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
      (#"{"\q":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4),
      (#"{"__metadata__":{"a":1}}"#, 0), (#"{"__metadata__":{"a":"1","a":"2"}}"#, 0),
      (#"{"__metadata__":{},"__metadata__":{}}"#, 0),
      (#"{"x":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}"#, 8),
      (String(repeating: "{\"a\":", count: 100_000), 0),
      (String(repeating: "[", count: 100_000), 0),
    ])
  func hostile(_ header: String, _ dataCount: Int) {
    #expect(throws: SafetensorsError.self) {
      try Safetensors.tensors(bytes: file(header, dataCount: dataCount))
    }
  }

  @Test("lengths that the file does not have, and every cut, are refused")
  func cuts() throws {
    for length in [UInt64(1), 1 << 20, 1 << 40, .max] {
      let bytes = withUnsafeBytes(of: length.littleEndian) { Array($0) }
      #expect(throws: SafetensorsError.self) { try Safetensors.tensors(bytes: bytes) }
    }
    let whole = Safetensors.bytes(of: ["a": Tensor([Float(1), 2]), "b": Tensor([Int64(3)])])
    for count in whole.indices {
      #expect(throws: SafetensorsError.self) {
        try Safetensors.tensors(bytes: Array(whole.prefix(count)))
      }
    }
  }

  @Test("changed bytes never trap")
  func mutations() throws {
    let whole = Safetensors.bytes(of: ["a": Tensor([Float(1), 2]), "b": Tensor([Int64(3)])])
    for position in whole.indices {
      for byte in [0, 0x22, 0x30, 0x39, 0x5c, 0x7b, 0x80, 0xff] as [UInt8] {
        var bytes = whole
        bytes[position] = byte
        _ = try? Safetensors.tensors(bytes: bytes)
      }
    }
  }

  @Test("what is not there or not a file is told apart, and nothing half-written stays")
  func files() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    #expect(throws: SafetensorsError.notFound(path: folder + "/no")) {
      try Safetensors.tensors(contentsOf: folder + "/no")
    }
    #expect(
      throws: SafetensorsError.cannotRead(
        path: folder, reason: "it is a folder, pipe or device, expected a file")
    ) { try Safetensors.tensors(contentsOf: folder) }
    #expect(throws: SafetensorsError.self) {
      try Safetensors.write([:], to: folder + "/missing/x.safetensors")
    }
    try FileManager.default.createDirectory(
      atPath: folder + "/taken", withIntermediateDirectories: false)
    #expect(throws: SafetensorsError.self) { try Safetensors.write([:], to: folder + "/taken") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["taken"])
  }

  // MARK: - Networks

  @Test("a network's parameters go to a file and into another network")
  func parameters() throws {
    let folder = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func network(seed: UInt64) throws -> Network {
      try Network(input: [3], seed: seed) {
        Dense(4, activation: .tanh)
        BatchNorm()
        Dense(2)
      }
    }
    let trained = try network(seed: 1)
    try trained.writeParameters(to: folder + "/weights.safetensors")
    let fresh = try network(seed: 2)
    #expect(fresh.parameters != trained.parameters)
    let loaded = try fresh.loadingParameters(contentsOf: folder + "/weights.safetensors")
    #expect(loaded.parameters == trained.parameters)
    // Counters of PyTorch are passed over, other precisions rounded.
    var tensors = trained.parameters.mapValues { $0.converted(to: .float64) }
    tensors["batchnorm1.num_batches_tracked"] = Tensor(scalar: Int64(7))
    #expect(try fresh.replacingParameters(with: tensors).parameters == trained.parameters)
  }

  @Test("names that are missing or left over, and other shapes, are told")
  func mismatches() throws {
    let network = try Network(input: [3]) { Dense(2) }
    var tensors = network.parameters
    tensors["dense1.wieght"] = tensors.removeValue(forKey: "dense1.weight")
    #expect(
      throws: NetworkError.parameterMismatch(
        "expected 'dense1.weight', which are not there; found 'dense1.wieght', which the network "
          + "does not have; is 'dense1.wieght' meant to be 'dense1.weight'?")
    ) { try network.replacingParameters(with: tensors) }
    tensors = network.parameters
    tensors["dense1.bias"] = Tensor([Float(1), 2, 3])
    #expect(
      throws: NetworkError.parameterMismatch("'dense1.bias' has shape [2], found float32 [3]")
    ) { try network.replacingParameters(with: tensors) }
  }
}
