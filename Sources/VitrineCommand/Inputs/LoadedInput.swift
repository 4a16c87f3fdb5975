import VitrineCore
import VitrineFiles
import VitrineImaging
import VitrineReport
import VitrineTensor

/// One INPUT of the command line, ready for the model.
struct LoadedInput: Sendable {
  let path: String
  /// With the model's axes, batch included.
  let tensor: Tensor
  /// The picture as the model sees it; `nil` for a `.npy`.
  let picture: Image?
  /// SHA-256 of the file in hexadecimal.
  let digest: String

  var name: String { FileName.last(of: path) }
  var samples: Int { tensor.shape.dimensions.first ?? 1 }

  /// Reads a picture or a `.npy` array, told apart by the first bytes.
  ///
  /// - Parameter what: What it is to the user, for messages.
  /// - Throws: ``CommandError``, ``ImagingError`` or ``TensorError``.
  init(
    contentsOf path: String, what: String = "input", for port: Port,
    preparation: PicturePreparation,
    note: (String) -> Void
  ) throws {
    self.path = path
    let bytes = try InputFile.bytes(at: path, what: what, limit: 4 << 30)
    digest = SHA256.hexadecimalDigest(of: bytes)
    do {
      let isArray = bytes.starts(with: [0x93] + Array("NUMPY".utf8))
      if isArray || FileName.pathExtension(of: path) == "npy" {
        tensor = try Self.fitted(Tensor(npy: bytes), to: port)
        picture = nil
      } else {
        let decoded = try DecodedImage(decoding: bytes)
        for warning in decoded.warnings { note("\(FileName.last(of: path)): \(warning)") }
        let prepared = try preparation.tensor(
          of: decoded.image, named: FileName.last(of: path), for: port, note: note)
        tensor = prepared.tensor
        picture = prepared.picture
      }
    } catch let error as CommandError {
      throw error
    } catch {
      let cause = CommandError(error)
      throw CommandError(
        cause.exitCode, code: cause.code, "\(FileName.last(of: path)): \(cause.message)")
    }
  }

  /// Stands in for an input that a method makes itself: one sample of zeros of the port's shape.
  ///
  /// - Throws: ``CommandError`` if the port leaves an extent open.
  init(shapedLike port: Port) throws {
    let extents = zip(port.dimensions, port.axes).map { $1 == .batch ? 1 : $0 }
    let known = extents.compactMap(\.self)
    guard known.count == extents.count else {
      throw CommandError.usage(
        "the model's input '\(port.name)' has the shape \(port.shapeDescription), which leaves its "
          + "size open: give a start of the size you want as INPUT")
    }
    path = "noise"
    tensor = Tensor(zeros: try Shape(known), port.dataType)
    picture = nil
    digest = SHA256.hexadecimalDigest(of: tensor.npyBytes())
  }

  /// Returns an array with the batch axis it may lack, and integers as the real numbers they are.
  private static func fitted(_ array: Tensor, to port: Port) throws -> Tensor {
    var array = array
    if array.rank + 1 == port.dimensions.count, port.batchAxis == 0 {
      array = try array.reshaped(to: [1] + array.shape.dimensions)
    }
    let fits =
      array.rank == port.dimensions.count
      && zip(array.shape.dimensions, zip(port.dimensions, port.axes)).allSatisfy {
        $1.0 == nil || $1.0 == $0 || $1.1 == .batch
      }
    guard array.count > 0 else {
      throw CommandError.badData(
        "expected an array with elements for the model's input '\(port.name)', found shape "
          + "\(array.shape), which has none",
        code: "input-shape")
    }
    guard fits else {
      throw CommandError.badData(
        "expected an array of shape \(port.shapeDescription) for the model's input "
          + "'\(port.name)', found \(array.shape)",
        code: "input-shape")
    }
    if port.dataType.isFloatingPoint, !array.dataType.isFloatingPoint {
      return array.converted(to: .float32)
    }
    if port.dataType == .int64, array.dataType.isFloatingPoint {
      let whole = array.converted(to: .int64)
      guard
        try whole.converted(to: .float64).elements(of: Double.self)
          == array.converted(to: .float64).elements(of: Double.self)
      else {
        throw CommandError.badData(
          "the model's input '\(port.name)' takes integers, found numbers with fractions or beyond "
            + "their range; save the array as int64",
          code: "input-type")
      }
      return whole
    }
    return array
  }
}
