import Testing
import VitrineNetwork
import VitrineONNX
import VitrineTensor

@Suite("Weights in files of their own")
struct ExternalDataTests {
  private let data: [UInt8] = Array(0..<64)

  private func reason(_ error: ONNXError?) -> String? {
    guard case .invalidExternalData(_, _, let reason) = error else { return nil }
    return reason
  }

  @Test("are read from the model's folder at their offset")
  func reads() throws {
    let folder = try TemporaryFolder()
    try #require(folder.folder("weights"))
    try #require(folder.write("weights/m.data", data))
    let bytes = ModelBytes.external(
      type: 7, dimensions: [2],
      [("location", "weights/m.data"), ("offset", "8"), ("length", "16"), ("checksum", "any")])
    try #require(folder.write("m.onnx", bytes))
    let graph = try ONNX.graph(contentsOf: folder.path + "/m.onnx")
    let elements = try #require(graph.constants["w"]).elements(of: Int64.self)
    #expect(elements == [0x0f0e_0d0c_0b0a_0908, 0x1716_1514_1312_1110])
  }

  @Test("are widened like others, and may overlap")
  func widens() throws {
    let folder = try TemporaryFolder()
    try #require(folder.write("m.data", data))
    let bytes = ModelBytes.model { graph in
      for (name, type) in [("a", 2), ("b", 5), ("c", 9)] as [(String, Int64)] {
        graph.message(5) { tensor in
          tensor.integers(1, [3])
          tensor.integer(2, type)
          tensor.string(8, name)
          tensor.message(13) { entry in
            entry.string(1, "location")
            entry.string(2, "m.data")
          }
          tensor.integer(14, 1)
        }
      }
    }
    let constants = try ONNX.graph(bytes: bytes, folder: folder.path).constants
    #expect(try constants["a"]?.elements(of: Int64.self) == [0, 1, 2])
    #expect(try constants["b"]?.elements(of: Int64.self) == [0x0100, 0x0302, 0x0504])
    #expect(try constants["c"]?.elements(of: Bool.self) == [false, true, true])
  }

  @Test(
    "cannot be outside the model's folder",
    arguments: [
      "../m.data", "a/../../m.data", "/etc/passwd", "/dev/zero", "/proc/self/mem", ".", "..",
      "./m.data", "a//m.data", "a/", "..\\m.data", "m.data\0.txt", "",
    ])
  func containment(location: String) throws {
    let folder = try TemporaryFolder()
    try #require(folder.folder("a"))
    try #require(folder.write("m.data", data))
    let error = failure(ModelBytes.external([("location", location)]), folder: folder.path)
    #expect(reason(error) != nil, "\(String(describing: error))")
  }

  @Test("cannot be reached through links, pipes, folders or devices")
  func specialFiles() throws {
    let folder = try TemporaryFolder()
    try #require(folder.folder("real"))
    try #require(folder.write("real/m.data", data))
    try #require(folder.symbolicLink("link", to: "real"))
    try #require(folder.symbolicLink("soft", to: "real/m.data"))
    try #require(folder.symbolicLink("loop", to: "loop"))
    try #require(folder.symbolicLink("zero", to: "/dev/zero"))
    try #require(folder.write("two", data))
    try #require(folder.hardLink("hard", to: "two"))
    try #require(folder.pipe("pipe"))
    let cases = [
      ("link/m.data", "symbolic link"), ("soft", "symbolic link"), ("loop", "symbolic link"),
      ("zero", "symbolic link"), ("hard", "hard link"), ("two", "hard link"),
      ("pipe", "not a regular file"), ("real", "not a regular file"), ("two/x", "not a folder"),
    ]
    for (location, expected) in cases {
      let error = failure(ModelBytes.external([("location", location)]), folder: folder.path)
      let found = reason(error)?.split(separator: expected, omittingEmptySubsequences: false).count
      #expect(found == 2, "\(location): \(String(describing: error))")
    }
    let unchanged = ModelBytes.external([("location", "real/m.data")])
    #expect(failure(unchanged, folder: folder.path) == nil)
  }

  @Test("are refused where the numbers do not fit the file")
  func extents() throws {
    let folder = try TemporaryFolder()
    try #require(folder.write("m.data", data))
    let hostile: [[(String, String)]] = [
      [("offset", "-4")], [("offset", "4x")], [("offset", "")], [("offset", "0x10")],
      [("offset", "+4")], [("offset", "9223372036854775808")], [("offset", "65")],
      [("offset", "57")], [("length", "-8")], [("length", "1000000000000000")],
      [("length", "7")], [("length", "9")], [("length", "")], [("offset", "64"), ("length", "8")],
      [("offset", "9223372036854775807"), ("length", "9223372036854775807")],
    ]
    for entries in hostile {
      let error = failure(
        ModelBytes.external([("location", "m.data")] + entries), folder: folder.path)
      #expect(reason(error) != nil, "\(entries): \(String(describing: error))")
    }
    let last = ModelBytes.external([("location", "m.data"), ("offset", "56"), ("length", "8")])
    #expect(failure(last, folder: folder.path) == nil)
    let huge = ModelBytes.external(
      dimensions: [1 << 30, 1 << 4], [("location", "m.data")])
    var limits = ONNXLimits()
    limits.constantBytes = 1 << 20
    #expect(failure(huge, folder: folder.path, limits: limits) != nil)
    limits.externalBytes = 7
    #expect(
      failure(last, folder: folder.path, limits: limits)
        == .limitExceeded(name: "externalBytes", found: 8, limit: 7))
  }

  @Test("are refused with entries that are unknown or given twice")
  func entries() throws {
    let folder = try TemporaryFolder()
    try #require(folder.write("m.data", data))
    let unknown = ModelBytes.external([("location", "m.data"), ("compression", "zstd")])
    #expect(failure(unknown, folder: folder.path)?.isUnsupported == true)
    let twice = ModelBytes.external([("location", "m.data"), ("location", "m.data")])
    #expect(failure(twice, folder: folder.path)?.isMalformed == true)
    let both = ModelBytes.initializer { tensor in
      tensor.integer(2, 2)
      tensor.data(9, [1])
      tensor.integer(14, 1)
    }
    #expect(failure(both, folder: folder.path)?.isMalformed == true)
  }

  @Test("that were left behind are explained")
  func missing() throws {
    let folder = try TemporaryFolder()
    let bytes = ModelBytes.external([("location", "model.onnx.data")])
    let error = failure(bytes, folder: folder.path)
    #expect(
      error
        == .externalDataNotFound(tensor: "w", path: folder.path + "/model.onnx.data"))
    #expect(error?.mentions("the .onnx file was moved without its .data file") == true)
    #expect(failure(bytes, folder: nil)?.isUnsupported == true)
    guard case .cannotRead = failure(bytes, folder: folder.path + "/none") else {
      Issue.record("a folder that does not exist must be reported")
      return
    }
  }
}
