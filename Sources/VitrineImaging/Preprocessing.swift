/// How a picture becomes the numbers a model expects.
///
/// Alpha is composited on ``background``; the picture is scaled and cropped to the model's size; then
/// each sample `x`, 0...255, becomes `(x / divisor - mean) / std`, each step in single precision, as
/// torchvision does, so that inputs agree with PyTorch's bit for bit. Presets carry the constants;
/// every property can be changed afterwards.
public struct Preprocessing: Sendable, Equatable {
  /// The order of the channels a model reads.
  public enum ChannelOrder: String, Sendable, Equatable, CaseIterable {
    /// Red, green, blue.
    case rgb
    /// Blue, green, red, as Caffe and OpenCV.
    case bgr
    /// One channel of luma.
    case gray
  }

  /// How a picture of another shape fills the model's square.
  public enum Fitting: Sendable, Equatable {
    /// Scale the shorter side to `round(side × margin)`, then crop the centre.
    case scaleThenCrop(margin: Double)
    /// Crop the largest central square, then scale it to the model's size.
    case squareThenScale
  }

  /// The preset this started from.
  public var name: String
  /// What happens when neither ``resize`` nor ``crop`` is set; a picture that already has the
  /// model's size is then left as it is.
  public var fitting: Fitting
  /// Length the shorter side is scaled to, in pixels.
  public var resize: Int?
  /// Side of the central square that is kept, in pixels.
  public var crop: Int?
  /// How new pixels are made.
  public var interpolation: Interpolation
  /// Divides the samples before the mean is subtracted: 255 or 1.
  public var divisor: Double
  /// Subtracted from the scaled samples: one number, or one per channel in the model's order.
  public var mean: [Double]
  /// Divides the result: one number, or one per channel in the model's order.
  public var std: [Double]
  /// Channels as the model reads them; nil for gray if the model has one channel, else RGB.
  public var channelOrder: ChannelOrder?
  /// Seen through transparent pixels.
  public var background: Color
  /// Replaces mean and std by the picture's own statistics.
  public var contrastNormalization: ContrastNormalization?

  private init(
    name: String, fitting: Fitting = .scaleThenCrop(margin: 1), divisor: Double,
    mean: [Double] = [0], std: [Double] = [1], channelOrder: ChannelOrder? = nil,
    contrastNormalization: ContrastNormalization? = nil
  ) {
    self.name = name
    self.fitting = fitting
    interpolation = .bilinear
    self.divisor = divisor
    self.mean = mean
    self.std = std
    self.channelOrder = channelOrder
    background = .white
    self.contrastNormalization = contrastNormalization
  }

  /// RGB, 0...1, mean (0.485, 0.456, 0.406), std (0.229, 0.224, 0.225); shorter side 256/224 of the
  /// model's. What torchvision's ImageNet models are trained with.
  public static let imagenet = Preprocessing(
    name: "imagenet", fitting: .scaleThenCrop(margin: 256.0 / 224), divisor: 255,
    mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225])

  /// The constants of ``imagenet`` without a margin: what the published CIFAR-10 ResNets use
  /// (akamaster/pytorch_resnet_cifar10), although they are not CIFAR-10's own statistics.
  public static let cifar10 = Preprocessing(
    name: "cifar10", divisor: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225])

  /// Samples as 0...1.
  public static let unit = Preprocessing(name: "unit", divisor: 255)

  /// Samples as -1...1: `(x / 255 - 0.5) / 0.5`.
  public static let signed = Preprocessing(
    name: "signed", divisor: 255, mean: [0.5], std: [0.5])

  /// Samples as 0...255.
  public static let byte = Preprocessing(name: "byte", divisor: 1)

  /// BGR, 0...255, mean (104, 117, 123); shorter side 256/224 of the model's. What models trained
  /// with Caffe expect.
  public static let caffe = Preprocessing(
    name: "caffe", fitting: .scaleThenCrop(margin: 256.0 / 224), divisor: 1,
    mean: [104, 117, 123], channelOrder: .bgr)

  /// Central square, then global contrast normalisation of 0...255 samples, s = 1, λ = 10, ε = 1e-9.
  public static let gcn = Preprocessing(
    name: "gcn", fitting: .squareThenScale, divisor: 1,
    contrastNormalization: ContrastNormalization(scale: 1, regularizer: 10, floor: 1e-9))

  /// Every preset, in the order they are listed to people.
  public static let presets = [imagenet, cifar10, unit, signed, byte, caffe, gcn]

  /// Returns the preset of a name.
  ///
  /// - Throws: ``ImagingError/unknownName(kind:name:known:)`` with the closest name.
  public static func named(_ name: String) throws(ImagingError) -> Preprocessing {
    guard let preset = presets.first(where: { $0.name == name }) else {
      throw .unknownName(kind: "preprocessing", name: name, known: presets.map(\.name))
    }
    return preset
  }
}

// MARK: - Applying

extension Preprocessing {
  /// Returns the model's input for a picture.
  ///
  /// - Parameters:
  ///   - image: Any picture.
  ///   - channels: Channels of the model's input, 1 or 3.
  ///   - width: Width of the model's input in pixels; nil if it takes any.
  ///   - height: Height of the model's input in pixels; nil if it takes any.
  /// - Returns: The planes of the channels one after the other, `[channel, height, width]`, in the
  ///   model's units, with the size they have.
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if the channels or the size cannot be met.
  public func apply(
    to image: Image, channels: Int, width: Int?, height: Int?
  ) throws(ImagingError) -> (values: [Float], width: Int, height: Int) {
    let picture = try fitted(image, channels: channels, width: width, height: height)
    let values = try normalized(picture, channels: channels)
    return (values, picture.width, picture.height)
  }

  /// Returns the picture as the model sees it, before samples become numbers: scaled, cropped, one
  /// gray channel or RGB. What explanations are laid over.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if the channels or the size cannot be met.
  public func fitted(
    _ image: Image, channels: Int, width: Int?, height: Int?
  ) throws(ImagingError) -> Image {
    let opaque =
      try order(channels: channels) == .gray
      ? image.convertedToGray(background: background)
      : image.convertedToRGB(background: background)
    let picture = try resizedAndCropped(opaque, width: width, height: height)
    guard picture.width == width ?? picture.width, picture.height == height ?? picture.height
    else {
      throw .invalidArgument(
        "the model's input is \(width ?? picture.width)x\(height ?? picture.height) pixels, but "
          + "resize and crop give \(picture.width)x\(picture.height); change or omit them")
    }
    return picture
  }

  /// Returns what one colour becomes, one number per channel in the model's order: the value of a
  /// baseline or of an occluding patch of that colour.
  ///
  /// With contrast normalisation a uniform colour has no contrast, and every value is 0.
  ///
  /// - Throws: ``ImagingError/invalidArgument(_:)`` if the channels cannot be met.
  public func apply(to color: Color, channels: Int) throws(ImagingError) -> [Float] {
    let pixel = Image(checkedWidth: 1, height: 1, channels: 3, pixels: color.samples)
    let opaque = try order(channels: channels) == .gray ? pixel.convertedToGray() : pixel
    return try normalized(opaque, channels: channels)
  }

  private func order(channels: Int) throws(ImagingError) -> ChannelOrder {
    let order = channelOrder ?? (channels == 1 ? .gray : .rgb)
    guard channels == (order == .gray ? 1 : 3) else {
      throw .invalidArgument(
        "a picture gives 1 channel (gray) or 3 (rgb, bgr), the model's input has \(channels) and "
          + "the channel order is \(order.rawValue); choose another order or give a .npy file")
    }
    return order
  }

  private func resizedAndCropped(
    _ image: Image, width: Int?, height: Int?
  ) throws(ImagingError) -> Image {
    if resize == nil, crop == nil {
      guard let width, let height, width != image.width || height != image.height else {
        return image
      }
      return try fill(image, width: width, height: height)
    }
    var picture = image
    if let resize {
      picture = try picture.resizedShorterSide(to: resize, interpolation: interpolation)
    }
    let side = crop.map { ($0, $0) } ?? (width ?? picture.width, height ?? picture.height)
    return try picture.centerCropped(width: side.0, height: side.1)
  }

  private func fill(_ image: Image, width: Int, height: Int) throws(ImagingError) -> Image {
    switch fitting {
    case .squareThenScale:
      return try image.croppedToSquare()
        .resized(width: width, height: height, interpolation: interpolation)
    case .scaleThenCrop(let margin) where width == height:
      let side = Int((Double(width) * max(1, margin)).rounded(.toNearestOrEven))
      return try image.resizedShorterSide(to: side, interpolation: interpolation)
        .centerCropped(width: width, height: height)
    case .scaleThenCrop(let margin):
      // Cover the rectangle: the side that needs the larger factor decides.
      let factor =
        max(1, margin)
        * max(Double(width) / Double(image.width), Double(height) / Double(image.height))
      let newWidth = max(width, Int((Double(image.width) * factor).rounded(.toNearestOrEven)))
      let newHeight = max(height, Int((Double(image.height) * factor).rounded(.toNearestOrEven)))
      return try image.resized(width: newWidth, height: newHeight, interpolation: interpolation)
        .centerCropped(width: width, height: height)
    }
  }

  private func normalized(_ picture: Image, channels: Int) throws(ImagingError) -> [Float] {
    let order = try order(channels: channels)
    let mean = try perChannel(mean, "mean", channels)
    let std = try perChannel(std, "std", channels)
    guard (std + [divisor]).map({ Float($0) }).allSatisfy({ $0 != 0 && $0.isFinite }),
      mean.allSatisfy({ Float($0).isFinite })
    else {
      throw .invalidArgument(
        "expected a finite mean, and a std and divisor that are finite and not zero, found mean "
          + "\(mean), std \(std), divisor \(divisor)")
    }
    let statistics = contrastNormalization?.statistics(of: picture)
    let plane = picture.width * picture.height
    var values: [Float] = []
    values.reserveCapacity(plane * channels)
    for channel in 0..<channels {
      // A channel has only 256 different samples: compute each once.
      let table = (0...255).map { sample in
        if let statistics {
          return Float((Double(sample) - statistics.mean) * statistics.factor)
        }
        return (Float(sample) / Float(divisor) - Float(mean[channel])) / Float(std[channel])
      }
      let offset = order == .bgr ? channels - 1 - channel : channel
      for index in 0..<plane {
        values.append(table[Int(picture.pixels[index * channels + offset])])
      }
    }
    return values
  }

  private func perChannel(
    _ numbers: [Double], _ label: String, _ channels: Int
  ) throws(ImagingError) -> [Double] {
    if numbers.count == channels { return numbers }
    guard numbers.count == 1 else {
      throw .invalidArgument(
        "expected 1 or \(channels) numbers as \(label) for a model input of \(channels) "
          + "channel(s), found \(numbers.count); choose another preprocessing or give --\(label)")
    }
    return [Double](repeating: numbers[0], count: channels)
  }
}
