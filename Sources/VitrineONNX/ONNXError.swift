/// What can be wrong with an ONNX file, the files beside it, or the way to them.
public enum ONNXError: Error, Sendable, Equatable {
  /// There is no file at the path.
  case notFound(path: String)
  /// The file is there, but the system does not let us read it, or it is not a regular file.
  case cannotRead(path: String, reason: String)
  /// The model cannot be saved; the text says where and why.
  case cannotWrite(String)
  /// The bytes are not a valid model; `offset` counts bytes from the start of the file.
  case malformed(reason: String, offset: Int?)
  /// The model is valid, but uses something that Vitrine does not have.
  case unsupported(String)
  /// A count or size of the model exceeds the property `name` of ``ONNXLimits``.
  case limitExceeded(name: String, found: Int, limit: Int)
  /// The system does not give as many bytes of memory as the model's weights need.
  case outOfMemory(needed: Int)
  /// A tensor's data is in another file, and that file is not beside the model.
  case externalDataNotFound(tensor: String, path: String)
  /// A tensor's data is in another file, and what the model says of that file cannot be trusted.
  case invalidExternalData(tensor: String, location: String, reason: String)
}

extension ONNXError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notFound(let path): "no such file: \(path)"
    case .cannotRead(let path, let reason): "cannot read \(path): \(reason)"
    case .cannotWrite(let message): message
    case .malformed(let reason, nil): "not a valid ONNX model: \(reason)"
    case .malformed(let reason, let offset?):
      "not a valid ONNX model: \(reason) (at byte \(offset))"
    case .unsupported(let what): "this model is not supported: \(what)"
    case .limitExceeded(let name, let found, let limit):
      "the model exceeds a limit: \(name) is \(found), allowed are \(limit); "
        + "if you trust the file, raise ONNXLimits.\(name)"
    case .outOfMemory(let needed):
      "the model's weights need \(needed) bytes of memory, more than the system gives"
    case .externalDataNotFound(let tensor, let path):
      "the weights of tensor '\(tensor)' are in a file of their own, \(path), which is not there: "
        + "the .onnx file was moved without its .data file; put both into one folder"
    case .invalidExternalData(let tensor, let location, let reason):
      "the weights of tensor '\(tensor)' cannot be read from '\(location)': \(reason)"
    }
  }
}

/// Returns text of the file in a form that is fit for a message: one line, not too long.
func printable(_ text: String) -> String {
  var result = ""
  var length = 0
  for scalar in text.unicodeScalars {
    if length == 120 { return result + "…" }
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse:
      result += "\\u{" + String(scalar.value, radix: 16) + "}"
    default: result.unicodeScalars.append(scalar)
    }
    length += 1
  }
  return result
}
