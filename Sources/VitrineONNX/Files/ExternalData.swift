import VitrineFiles
import VitrineTensor

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Tensor data in files beside the model, and in no other file.
///
/// What a model says about its data files is not trusted: a location is followed name by name from
/// the model's folder, through real folders only, to a regular file that has no other name. So a
/// model cannot make us read what lies elsewhere, wait for a pipe or touch a device.
struct ExternalData {
  /// Where the data of one tensor is.
  private struct Extent {
    var location = ""
    var offset = 0
    var length: Int?
  }

  private let folder: String?
  private let limit: Int
  private var total = 0
  private var openFolder: OpenFile?
  /// The file used last: exporters put all tensors of a model into one.
  private var current: (location: String, file: OpenFile)?

  init(folder: String?, limit: Int) {
    self.folder = folder
    self.limit = limit
  }

  /// Reads a tensor's elements from the file that its message names.
  mutating func tensor(
    _ message: TensorMessage, _ shape: Shape, _ type: ElementType
  ) throws(ONNXError) -> Tensor {
    let extent = try extent(of: message)
    let needed = shape.count * type.byteCount
    let (sum, overflow) = total.addingReportingOverflow(needed)
    try ONNXLimits.check(overflow ? Int.max : sum, "externalBytes", limit)
    total = sum

    let tensor = message.name
    func invalid(_ reason: String) -> ONNXError {
      .invalidExternalData(
        tensor: printable(tensor), location: printable(extent.location), reason: reason)
    }
    let file = try file(at: extent.location, for: tensor, invalid)
    guard extent.offset <= file.byteCount else {
      throw invalid("it has \(file.byteCount) bytes, the data begins at \(extent.offset)")
    }
    let available = file.byteCount - extent.offset
    let length = extent.length ?? min(needed, available)
    guard length <= available else {
      throw invalid(
        "it has \(file.byteCount) bytes, the data takes \(length) from \(extent.offset) on")
    }
    guard length == needed else {
      throw invalid("shape \(shape) of type \(type) needs \(needed) bytes, found \(length)")
    }
    func read(_ target: UnsafeMutableRawBufferPointer) throws(ONNXError) {
      let found: Int
      do {
        found = try file.read(into: target, at: extent.offset)
      } catch {
        throw invalid(error.reason)
      }
      guard found == needed else { throw invalid("it became shorter while it was read") }
    }
    if type.isStoredUnchanged { return try type.unchangedTensor(shape, read) }
    guard isAvailable(needed) else { throw .outOfMemory(needed: needed) }
    let stored = UnsafeMutableRawBufferPointer.allocate(byteCount: needed, alignment: 8)
    defer { stored.deallocate() }
    try read(stored)
    return try type.tensor(shape, UnsafeRawBufferPointer(stored), message.label)
  }

  // MARK: - What the model says

  private func extent(of message: TensorMessage) throws(ONNXError) -> Extent {
    var extent = Extent()
    var seen: Set<String> = []
    for (key, value) in message.external {
      guard seen.insert(key).inserted else {
        throw .malformed(
          reason: "\(message.label) has the external data entry '\(printable(key))' twice",
          offset: message.content.position)
      }
      switch key {
      case "location": extent.location = value
      case "offset": extent.offset = try number(value, key, message)
      case "length": extent.length = try number(value, key, message)
      // Not needed, and not able to change which bytes are meant.
      case "checksum": break
      case _ where key.hasPrefix("prepacked"): break
      default:
        throw .unsupported(
          "\(message.label) has the external data entry '\(printable(key))'; known are location, "
            + "offset, length and checksum")
      }
    }
    return extent
  }

  private func number(
    _ text: String, _ key: String, _ message: TensorMessage
  ) throws(ONNXError) -> Int {
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = Int(text) else {
      throw .invalidExternalData(
        tensor: printable(message.name),
        location: printable(message.external.first { $0.key == "location" }?.value ?? ""),
        reason: "its \(key) is '\(printable(text))', expected an integer from 0 to \(Int.max)")
    }
    return value
  }

  // MARK: - The way to the file

  private mutating func file(
    at location: String, for tensor: String, _ invalid: (String) -> ONNXError
  ) throws(ONNXError) -> OpenFile {
    if let current, current.location == location { return current.file }
    guard let folder else {
      throw .unsupported(
        "the weights of tensor '\(printable(tensor))' are in another file, "
          + "and the model was not read from a folder")
    }
    guard !location.isEmpty else { throw invalid("the model does not name the file") }
    guard !location.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "\\") }) else {
      throw invalid("a location must not contain a backslash or a zero byte")
    }
    let names = location.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard let last = names.last, names.allSatisfy({ $0 != "" && $0 != "." && $0 != ".." }) else {
      throw invalid(
        "a location must be a plain relative path inside the model's folder, without empty, '.' "
          + "and '..' parts")
    }

    var parent: OpenFile
    do throws(OpenFile.Failure) {
      if let openFolder {
        parent = openFolder
      } else {
        parent = try OpenFile(folder, flags: O_DIRECTORY)
      }
    } catch {
      throw .cannotRead(path: folder, reason: error.reason)
    }
    openFolder = parent
    do {
      for name in names.dropLast() {
        parent = try OpenFile(name, in: parent, flags: O_DIRECTORY | O_NOFOLLOW)
      }
      let file = try OpenFile(last, in: parent, flags: O_NOFOLLOW)
      guard file.isRegular else { throw invalid("it is not a regular file") }
      guard file.linkCount == 1 else {
        throw invalid(
          "it is a hard link, which may lead out of the model's folder; replace it by a copy")
      }
      current = (location, file)
      return file
    } catch let failure as OpenFile.Failure {
      switch failure.code {
      case ENOENT:
        throw .externalDataNotFound(
          tensor: printable(tensor), path: printable(folder + "/" + location))
      case ENOTDIR: throw invalid("a part of it is not a folder or is a symbolic link")
      case ELOOP:
        throw invalid(
          "it is a symbolic link, which may lead out of the model's folder; replace it by the file")
      default: throw invalid(failure.reason)
      }
    } catch let error as ONNXError {
      throw error
    } catch {
      throw invalid("\(error)")
    }
  }
}
