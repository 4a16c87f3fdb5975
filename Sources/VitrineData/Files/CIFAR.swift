import VitrineTensor

/// The binary format of CIFAR-10 and CIFAR-100: records of labels and a 32×32 picture.
///
/// Source: Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009), binary version.
public enum CIFAR {
  /// Which records a file holds.
  public enum Kind: Sendable, Hashable {
    /// One label byte.
    case cifar10
    /// A coarse label byte, 0...19, and a fine one, 0...99; the fine one is the target.
    case cifar100
  }

  /// Side of a picture in pixels.
  private static let side = 32

  /// The classes of CIFAR-10.
  public static let classes = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ]

  /// Reads one file, or several one after the other.
  ///
  /// - Returns: `[sample, 3, 32, 32]`, pixels in 0...1, red, green, blue; class numbers.
  /// - Throws: `FileError`, ``DataError/malformed(format:offset:reason:)``.
  public static func dataSet(contentsOf paths: [String], _ kind: Kind = .cifar10) throws
    -> LabeledData
  {
    try dataSet(paths.reduce(into: []) { $0 += try DataFile.bytes(at: $1) }, kind)
  }

  /// Reads the records of a file from its bytes; see ``dataSet(contentsOf:_:)``.
  ///
  /// - Throws: ``DataError/malformed(format:offset:reason:)`` with the byte where the file breaks its rules.
  public static func dataSet(_ bytes: [UInt8], _ kind: Kind = .cifar10) throws -> LabeledData {
    let labels = kind == .cifar10 ? 1 : 2
    let classCount = kind == .cifar10 ? 10 : 100
    let pixels = 3 * side * side
    let record = labels + pixels
    guard !bytes.isEmpty, bytes.count.isMultiple(of: record) else {
      throw DataError.malformed(
        format: "CIFAR file", offset: bytes.count / record * record,
        reason: "expected records of \(record) bytes, found \(bytes.count % record) at the end")
    }
    let count = bytes.count / record
    var targets: [Int64] = []
    for index in 0..<count {
      let label = Int(bytes[index * record + labels - 1])
      guard label < classCount else {
        throw DataError.malformed(
          format: "CIFAR file", offset: index * record + labels - 1,
          reason: "expected a class below \(classCount), found \(label)")
      }
      targets.append(Int64(label))
    }
    let inputs = Tensor(uninitialized: try Shape([count, 3, side, side]), of: Float.self) {
      target in
      bytes.withUnsafeBufferPointer { bytes in
        for index in 0..<count {
          for i in 0..<pixels {
            target[index * pixels + i] = Float(bytes[index * record + labels + i]) / 255
          }
        }
      }
    }
    return try LabeledData(
      inputs: inputs, targets: Tensor(targets), classes: kind == .cifar10 ? classes : [])
  }
}
