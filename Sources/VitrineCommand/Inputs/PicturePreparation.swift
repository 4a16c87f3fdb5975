import VitrineCore
import VitrineFiles
import VitrineImaging
import VitrineTensor

/// How pictures become tensors for one input of a model: the flags, checked against its shape.
struct PicturePreparation: Sendable {
  private var preprocessing: Preprocessing
  private let isInterpolationGiven: Bool
  /// Whether no preprocessing was named, so that the default needs telling.
  let isDefault: Bool

  static var presetNames: [String] { Preprocessing.presets.map(\.name) }

  /// Decodes the flags.
  ///
  /// - Throws: ``CommandError`` or ``ImagingError`` for a value that does not fit.
  init(_ invocation: Invocation) throws {
    let name = invocation.text("preprocess")
    preprocessing = try Preprocessing.named(name ?? Preprocessing.unit.name)
    isDefault =
      name == nil && !invocation.has("mean") && !invocation.has("std")
    preprocessing.resize = try invocation.integer("resize", in: 1...65_535)
    preprocessing.crop = try invocation.integer("crop", in: 1...65_535)
    isInterpolationGiven = invocation.has("interpolation")
    if let text = invocation.text("interpolation"), let value = Interpolation(rawValue: text) {
      preprocessing.interpolation = value
    }
    if let text = invocation.text("channels"),
      let value = Preprocessing.ChannelOrder(rawValue: text)
    {
      preprocessing.channelOrder = value
    }
    if let mean = try Self.numbers("mean", invocation) { preprocessing.mean = mean }
    if let std = try Self.numbers("std", invocation) {
      guard !std.contains(0) else { throw CommandError.usage("--std: expected no zero") }
      preprocessing.std = std
    }
  }

  private static func numbers(
    _ flag: String, _ invocation: Invocation
  ) throws(CommandError) -> [Double]? {
    guard let text = invocation.text(flag) else { return nil }
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Double($0) }.filter(\.isFinite)
    guard numbers.count == parts.count, numbers.count == 1 || numbers.count == 3 else {
      throw .usage("--\(flag): expected one number or three separated by commas, found '\(text)'")
    }
    return numbers
  }

  /// Whether the model reads blue before red.
  var isBlueFirst: Bool { preprocessing.channelOrder == .bgr }

  /// Returns a picture as the model's input, and as it looked before samples became numbers.
  ///
  /// - Parameters:
  ///   - name: What to call the picture in messages.
  ///   - note: Told what was done without being asked.
  /// - Throws: ``CommandError`` or ``ImagingError`` if the picture does not fit the input.
  func tensor(
    of image: Image, named name: String, for port: Port, note: (String) -> Void
  ) throws -> (tensor: Tensor, picture: Image) {
    let layout = try PictureLayout(port)
    let preprocessing = try fitting(image, named: name, layout, port, note)
    let prepared = try preprocessing.apply(
      to: image, channels: layout.channels, width: layout.width, height: layout.height)
    let picture = try preprocessing.fitted(
      image, channels: layout.channels, width: layout.width, height: layout.height)
    let planes = try Tensor(
      prepared.values, shape: [1, layout.channels, prepared.height, prepared.width])
    return (try layout.arrange(planes), picture)
  }

  /// Returns what a colour (`black`, `gray`, `white`) or a file becomes as an input of one sample,
  /// prepared as the pictures are.
  ///
  /// - Throws: ``CommandError`` for any other name, or for a colour where the input's size is not known.
  func baseline(named name: String, for port: Port) throws -> Tensor {
    let colors = ["black": Color.black, "gray": .gray, "white": .white]
    guard let color = colors[name] else {
      let isPath = name.contains("/") || !FileName.pathExtension(of: name).isEmpty
      guard isPath || OutputFiles.kind(of: name) == .file else {
        throw CommandError.usage(
          "baseline: expected a number, mean, blur, black, gray, white or a file, found '\(name)'"
            + ArgumentParser.suggestion(name, colors.keys.sorted() + ["mean", "blur"]))
      }
      return try LoadedInput(
        contentsOf: name, what: "baseline", for: port, preparation: self, note: { _ in }
      ).tensor
    }
    let layout = try PictureLayout(port)
    guard let width = layout.width, let height = layout.height else {
      throw CommandError.usage(
        "baseline: the model takes pictures of any size; give a number or a file instead of \(name)"
      )
    }
    let levels = try preprocessing.apply(to: color, channels: layout.channels)
    let planes = levels.flatMap { [Float](repeating: $0, count: width * height) }
    return try layout.arrange(Tensor(planes, shape: [1, layout.channels, height, width]))
  }

  /// Returns the preprocessing for one picture, after checking that its size is provided for.
  private func fitting(
    _ image: Image, named name: String, _ layout: PictureLayout, _ port: Port,
    _ note: (String) -> Void
  ) throws -> Preprocessing {
    var preprocessing = preprocessing
    guard preprocessing.resize == nil, preprocessing.crop == nil,
      let width = layout.width, let height = layout.height,
      image.width != width || image.height != height
    else { return preprocessing }
    let factor = image.width / width
    if factor > 1, image.width == factor * width, image.height == factor * height {
      // The one size that leaves no choice: every pixel of the model's is a block of the picture's.
      preprocessing.resize = min(width, height)
      if !isInterpolationGiven { preprocessing.interpolation = .nearest }
      note(
        "\(name): \(image.width)x\(image.height) reduced to \(width)x\(height) "
          + "(\(preprocessing.interpolation.rawValue)); --resize and --interpolation choose")
      return preprocessing
    }
    throw CommandError.badData(
      "\(name) is \(image.width)x\(image.height) pixels, the model's input '\(port.name)' is "
        + "\(width)x\(height) (\(port.shapeDescription)); fit it with --resize \(min(width, height))"
        + " --crop \(min(width, height)), or give a picture of that size",
      code: "picture-size")
  }
}

/// Where an input of a model has its channels, rows and columns.
struct PictureLayout: Sendable {
  let channels: Int
  /// `nil` if the model takes any.
  let width: Int?
  let height: Int?
  private let axes: [Axis]

  /// - Throws: ``CommandError`` if the input takes no pictures.
  init(_ port: Port) throws(CommandError) {
    guard let row = port.axes.firstIndex(of: .height), let column = port.axes.firstIndex(of: .width)
    else {
      throw .badData(
        "the model's input '\(port.name)' has shape \(port.shapeDescription), which is no picture; "
          + "give a .npy file",
        code: "no-picture-input")
    }
    axes = port.axes
    height = port.dimensions[row]
    width = port.dimensions[column]
    channels =
      if let axis = port.axes.firstIndex(of: .channel) { port.dimensions[axis] ?? 3 } else { 1 }
    guard channels == 1 || channels == 3 else {
      throw .badData(
        "the model's input '\(port.name)' has \(channels) channels, a picture has 1 or 3; "
          + "give a .npy file",
        code: "no-picture-input")
    }
  }

  /// Returns planes `[1, channel, height, width]` in the order of the model's axes.
  func arrange(_ planes: Tensor) throws -> Tensor {
    let order: [Axis] = [.batch, .channel, .height, .width]
    let positions = axes.compactMap { order.firstIndex(of: $0) }
    let present = Set(positions)
    // Axes the model does not have hold one element each, so they may go anywhere.
    let moved = try planes.transposed(
      axes: positions + order.indices.filter { !present.contains($0) })
    return try moved.reshaped(to: positions.map { planes.shape[$0] })
  }
}
