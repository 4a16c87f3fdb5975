/// What can be wrong with a safetensors file, or the way to it.
public enum SafetensorsError: Error, Sendable, Equatable {
  /// There is no file at the path.
  case notFound(path: String)
  /// The file is there, but the system does not let us read it, or it is not a regular file.
  case cannotRead(path: String, reason: String)
  /// The file cannot be written; the text says where and why.
  case cannotWrite(String)
  /// The bytes are not a valid file; `offset` counts bytes from the start of the file.
  case malformed(reason: String, offset: Int?)
  /// The file is valid, but a tensor's elements are of a type that Vitrine does not have.
  case unsupportedType(tensor: String, type: String)
  /// A count or size exceeds what is read; the text says which.
  case limitExceeded(what: String, found: Int, limit: Int)
}

extension SafetensorsError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .notFound(let path): "no such file: \(path)"
    case .cannotRead(let path, let reason): "cannot read \(path): \(reason)"
    case .cannotWrite(let message): message
    case .malformed(let reason, nil): "not a valid safetensors file: \(reason)"
    case .malformed(let reason, let offset?):
      "not a valid safetensors file: \(reason) (at byte \(offset))"
    case .unsupportedType(let tensor, let type):
      "tensor '\(tensor)' has elements of type \(type); supported are F16, BF16, F32, F64, BOOL, and "
        + "signed and unsigned integers of 8 to 64 bits"
    case .limitExceeded(let what, let found, let limit):
      "the safetensors file exceeds a limit: \(what) \(found), allowed are \(limit)"
    }
  }
}
