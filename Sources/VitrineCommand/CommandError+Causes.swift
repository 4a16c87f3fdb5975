import VitrineCore
import VitrineFiles
import VitrineImaging
import VitrineNetwork
import VitrineONNX
import VitrinePlugins
import VitrineSafetensors
import VitrineTensor

extension CommandError {
  /// Creates the report of any error a verb threw: which exit code it means, and its message.
  init(_ error: any Error) {
    self =
      switch error {
      case let error as CommandError: error
      case let error as CoreError: CommandError(core: error)
      case let error as NetworkError: CommandError(network: error)
      case let error as ONNXError: CommandError(onnx: error)
      case let error as SafetensorsError: CommandError(safetensors: error)
      case let error as FileError: CommandError(file: error)
      case let error as PluginError: CommandError(plugin: error)
      case let error as ImagingError: CommandError(imaging: error)
      case let error as TensorError: .badData(error.description)
      default:
        CommandError(
          .internalError, code: "internal", "internal error, please report it: \(error)")
      }
  }

  private init(core error: CoreError) {
    switch error {
    case .cancelled:
      self.init(.interrupted, code: "interrupted", "interrupted; nothing unfinished was kept")
    case .unknownName(let what, _, _, _):
      let code = what.split(separator: " ").first.map { "unknown-\($0)" } ?? "usage"
      self = .usage(error.description, code: code)
    case .invalidOption, .inputCount, .elementOutOfRange, .channelOutOfRange, .targetCount,
      .noLabels, .noProbability, .notApplicable:
      self = .usage(error.description)
    case .shapeMismatch, .missingCapability, .notFinite:
      self = .badData(error.description)
    case .duplicateMethod:
      self.init(.internalError, code: "internal", error.description)
    }
  }

  private init(network error: NetworkError) {
    switch error {
    case .unknownSite: self = .usage(error.description, code: "unknown-layer")
    case .unsupportedOperators: self = .badData(error.description, code: "unsupported-model")
    case .memoryLimit: self = .badData(error.description, code: "memory-limit")
    default: self = .badData(error.description)
    }
  }

  private init(onnx error: ONNXError) {
    switch error {
    case .notFound, .cannotRead, .externalDataNotFound:
      self.init(.noInput, code: "cannot-open", error.description)
    case .cannotWrite:
      self.init(.inputOutput, code: "cannot-write", error.description)
    case .unsupported: self = .badData(error.description, code: "unsupported-model")
    default: self = .badData(error.description, code: "bad-model")
    }
  }

  private init(safetensors error: SafetensorsError) {
    switch error {
    case .notFound, .cannotRead:
      self.init(.noInput, code: "cannot-open", error.description)
    case .cannotWrite:
      self.init(.inputOutput, code: "cannot-write", error.description)
    case .unsupportedType: self = .badData(error.description, code: "unsupported-model")
    case .malformed, .limitExceeded: self = .badData(error.description, code: "bad-model")
    }
  }

  private init(file error: FileError) {
    switch error.kind {
    case .cannotRead: self.init(.noInput, code: "cannot-open", error.description)
    case .unfit: self = .badData(error.description)
    case .cannotCreate: self.init(.cannotCreate, code: "cannot-create", error.description)
    case .cannotWrite: self.init(.inputOutput, code: "cannot-write", error.description)
    }
  }

  private init(plugin error: PluginError) {
    switch error {
    case .cannotOpen: self.init(.noInput, code: "cannot-open", error.description)
    default: self = .badData(error.description, code: "bad-plugin")
    }
  }

  private init(imaging error: ImagingError) {
    switch error {
    case .unknownName, .invalidArgument: self = .usage(error.description)
    default: self = .badData(error.description)
    }
  }
}
