/// A file that is not an ONNX model, but something that people mistake for one.
///
/// Asked only after reading has failed, so that no valid model can be turned away.
struct MistakenFile {
  let explanation: String

  /// Recognises a file by its first bytes, or returns `nil`.
  init?(_ bytes: [UInt8]) {
    if bytes.isEmpty {
      explanation = "the file is empty"
      return
    }
    func starts(_ text: String, at offset: Int = 0) -> Bool {
      bytes.dropFirst(offset).starts(with: text.utf8)
    }
    if starts("version https://git-lfs") {
      explanation =
        "this is a Git LFS pointer, not the model itself; run `git lfs pull` to download the model"
      return
    }
    let what: String? =
      if bytes.starts(with: [0x89, 0x50, 0x4e, 0x47]) {
        "a PNG picture"
      } else if bytes.starts(with: [0xff, 0xd8, 0xff]) {
        "a JPEG picture"
      } else if bytes.starts(with: [0x89, 0x48, 0x44, 0x46]) {
        "an HDF5 file, perhaps of Keras: export it with model.export(…, format=\"onnx\")"
      } else if bytes.starts(with: [0x50, 0x4b, 3, 4]) {
        "a zip archive, perhaps of PyTorch or Keras: unpack it or export it to ONNX"
      } else if bytes.starts(with: [0x1f, 0x8b]) {
        "a gzip archive: unpack it first"
      } else if starts("{", at: 8), bytes.count > 16, bytes[4..<8].allSatisfy({ $0 == 0 }) {
        "a safetensors file, which has weights but no network: export the network to ONNX"
      } else if bytes[0] == 0x80, bytes.count > 1, (2...5).contains(bytes[1]) {
        "a pickle file, perhaps of PyTorch: export it with torch.onnx.export"
      } else if bytes.starts(with: [0x93] + Array("NUMPY".utf8)) {
        "a NumPy array"
      } else if starts("GGUF") {
        "a GGUF file"
      } else if starts("TFL3", at: 4) {
        "a TensorFlow Lite model"
      } else if starts("ORTM", at: 4) {
        "a model in onnxruntime's own format (.ort): use the .onnx file it was made from"
      } else if Self.isMarkup(bytes) {
        "a web page: the download went wrong"
      } else if Self.isText(bytes) {
        "a text file"
      } else {
        nil
      }
    guard let what else { return nil }
    explanation = "this is \(what) (not an ONNX model)"
  }

  private static func isMarkup(_ bytes: [UInt8]) -> Bool {
    let start = bytes.prefix(512).drop { $0 <= 0x20 }.prefix(14)
    let lowered = String(decoding: start, as: UTF8.self).lowercased()
    return lowered.hasPrefix("<!doctype") || lowered.hasPrefix("<html")
      || lowered.hasPrefix("<?xml")
  }

  private static func isText(_ bytes: [UInt8]) -> Bool {
    bytes.prefix(512).allSatisfy { $0 >= 0x20 && $0 != 0x7f || (9...13).contains($0) }
  }
}
