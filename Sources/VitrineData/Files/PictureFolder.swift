import VitrineFiles
public import VitrineImaging
import VitrineTensor

/// Pictures in a folder for each class: `folder/cat/1.png`, `folder/dog/2.jpg`.
public enum PictureFolder {
  /// Reads all PNG and JPEG files, classes and files in the order of the bytes of their names.
  ///
  /// - Parameters:
  ///   - path: The folder that holds the classes' folders.
  ///   - width: Of every sample, in pixels; pictures of other sizes are resized.
  ///   - height: Likewise.
  ///   - channels: 1 for gray, 3 for colour.
  ///   - preprocessing: How pixels become numbers.
  ///   - memoryLimit: Most bytes of all samples together, checked before they are read.
  /// - Returns: `[sample, channel, height, width]`.
  /// - Throws: `FileError`, `ImagingError` with the file's name, ``DataError``.
  public static func dataSet(
    contentsOf path: String, width: Int, height: Int, channels: Int = 3,
    preprocessing: Preprocessing = .unit, memoryLimit: Int = 4 << 30
  ) throws -> LabeledData {
    guard width >= 1, height >= 1, channels == 1 || channels == 3 else {
      throw DataError.invalidArgument(
        "expected a width and height of at least 1 and 1 or 3 channels, found \(width)x\(height) "
          + "with \(channels)")
    }
    let classes = try Folder.names(in: path, what: "folder").filter {
      Folder.exists(at: path + "/" + $0)
    }
    var files: [(path: String, target: Int64)] = []
    for (index, name) in classes.enumerated() {
      let folder = path + "/" + name
      for file in try Folder.names(in: folder, what: "folder") where isPicture(file) {
        files.append((folder + "/" + file, Int64(index)))
      }
    }
    guard !files.isEmpty else {
      throw DataError.notFound(what: "picture in a class's folder in", name: path, known: classes)
    }
    let (pixels, tooWide) = width.multipliedReportingOverflow(by: height)
    let (bytes, overflow) = pixels.multipliedReportingOverflow(by: channels * 4 * files.count)
    guard !tooWide, !overflow, bytes <= memoryLimit else {
      throw DataError.tooLarge(
        what: "the bytes of \(files.count) pictures of \(width)x\(height)",
        found: overflow || tooWide ? .max : bytes, maximum: memoryLimit)
    }
    var elements: [Float] = []
    elements.reserveCapacity(bytes / 4)
    for file in files {
      let content = try InputFile.bytes(at: file.path, what: "picture", limit: 1 << 30)
      elements += try preprocessing.apply(
        to: DecodedImage(decoding: content).image, channels: channels, width: width, height: height
      ).values
    }
    return try LabeledData(
      inputs: Tensor(elements, shape: [files.count, channels, height, width]),
      targets: Tensor(files.map(\.target)), classes: classes)
  }

  private static func isPicture(_ name: String) -> Bool {
    let lower = name.lowercased()
    return [".png", ".jpg", ".jpeg"].contains { lower.hasSuffix($0) }
  }
}
