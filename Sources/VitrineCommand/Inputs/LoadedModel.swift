import VitrineCore
import VitrineFiles
import VitrineNetwork
import VitrineONNX
import VitrineReport

/// A network with the file it came from.
struct LoadedModel: Sendable {
  let path: String
  let network: Network

  /// Reads and checks a model.
  ///
  /// - Throws: ``ONNXError`` or ``NetworkError``.
  init(contentsOf path: String, configuration: Network.Configuration) throws {
    self.path = path
    do {
      network = try Network(ONNX.graph(contentsOf: path), configuration: configuration)
    } catch {
      throw CommandError(error).naming(FileName.last(of: path))
    }
  }

  /// The file's name without its folder.
  var name: String { FileName.last(of: path) }

  /// Returns the SHA-256 of the model's file in hexadecimal.
  func digest() throws(FileError) -> String { try Self.digest(ofFileAt: path) }

  /// Returns the SHA-256 of a model's file in hexadecimal.
  ///
  /// - Complexity: O(bytes of the file); weights in files of their own are not covered.
  static func digest(ofFileAt path: String) throws(FileError) -> String {
    var hash = SHA256()
    try InputFile.readPieces(of: path, what: "model") { hash.update($0) }
    return SHA256.hexadecimal(hash.finish())
  }
}
