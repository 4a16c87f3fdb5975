import Testing
import VitrineImaging

@Suite("Preprocessing")
struct PreprocessingTests {
  @Test(
    "presets turn one pixel into the numbers of their definition",
    arguments: [
      ("imagenet", [1 / 0.229 * (1 - 0.485), (0.2 - 0.456) / 0.224, (0 - 0.406) / 0.225]),
      ("cifar10", [1 / 0.229 * (1 - 0.485), (0.2 - 0.456) / 0.224, (0 - 0.406) / 0.225]),
      ("unit", [1, 0.2, 0]), ("signed", [1, -0.6, -1]), ("byte", [255, 51, 0]),
      ("caffe", [-104, -66, 132]),
      // Contrast of (255, 51, 0): mean 102, variance 12,138, divisor sqrt(12,148).
      ("gcn", [153 / 110.217966, -51 / 110.217966, -102 / 110.217966]),
    ] as [(String, [Double])])
  func presets(_ name: String, _ expected: [Double]) throws {
    let preset = try Preprocessing.named(name)
    let pixel = try Image(width: 1, height: 1, channels: 3, pixels: [255, 51, 0])
    let input = try preset.apply(to: pixel, channels: 3, width: 1, height: 1)
    for (value, expected) in zip(input.values, expected) {
      #expect(abs(Double(value) - expected) < 1e-5)
    }
    if name != "gcn" {
      #expect(
        try preset.apply(to: Color(red: 255, green: 51, blue: 0), channels: 3) == input.values)
    }
  }

  @Test("contrast normalisation equals NumPy's result on a rectangle, and a flat colour is 0")
  func contrast() throws {
    // Central 32×32 of the 40×32 formula picture: mean 119.624674, divisor 73.619580.
    let picture = try Image.formula(width: 40, height: 32, channels: 3)
    let input = try Preprocessing.gcn.apply(to: picture, channels: 3, width: 32, height: 32)
    let plane = 32 * 32
    let expected: [(Int, Float)] = [
      (0, 0.54843189), (plane, -0.30731871), (2 * plane, -0.97290252), (plane - 1, 0.10018158),
      (2 * plane - 1, 1.55359927), (3 * plane - 1, -0.21223531),
    ]
    for (index, value) in expected { #expect(abs(input.values[index] - value) < 1e-6) }
    #expect(try Preprocessing.gcn.apply(to: .white, channels: 3) == [0, 0, 0])
  }

  @Test("planes follow each other and Caffe's start with blue")
  func layout() throws {
    let picture = try Image(width: 2, height: 1, channels: 3, pixels: [1, 2, 3, 4, 5, 6])
    let rgb = try Preprocessing.byte.apply(to: picture, channels: 3, width: 2, height: 1)
    #expect(rgb.values == [1, 4, 2, 5, 3, 6])
    var bgr = Preprocessing.byte
    bgr.channelOrder = .bgr
    #expect(
      try bgr.apply(to: picture, channels: 3, width: 2, height: 1).values == [3, 6, 2, 5, 1, 4])
    let gray = try Image(width: 2, height: 1, channels: 1, pixels: [7, 9])
    #expect(
      try Preprocessing.byte.apply(to: gray, channels: 3, width: nil, height: nil).values
        == [7, 9, 7, 9, 7, 9])
    #expect(
      try Preprocessing.byte.apply(to: picture, channels: 1, width: 2, height: 1).values == [2, 5])
  }

  @Test("a picture of another size is scaled and cropped, one of the model's size left alone")
  func sizes() throws {
    let wide = try Image.formula(width: 40, height: 20, channels: 3)
    let fitted = try Preprocessing.unit.fitted(wide, channels: 3, width: 10, height: 10)
    #expect(
      try fitted == wide.resizedShorterSide(to: 10).centerCropped(width: 10, height: 10))
    let margin = try Preprocessing.imagenet.fitted(wide, channels: 3, width: 14, height: 14)
    #expect(
      try margin == wide.resizedShorterSide(to: 16).centerCropped(width: 14, height: 14))
    #expect(try Preprocessing.imagenet.fitted(wide, channels: 3, width: 40, height: 20) == wide)
    #expect(try Preprocessing.unit.fitted(wide, channels: 3, width: nil, height: nil) == wide)
    let tall = try Preprocessing.unit.fitted(wide, channels: 3, width: 7, height: 30)
    #expect(tall.width == 7 && tall.height == 30)

    var explicit = Preprocessing.unit
    explicit.resize = 12
    explicit.crop = 8
    explicit.interpolation = .nearest
    #expect(
      try explicit.fitted(wide, channels: 3, width: 8, height: 8)
        == wide.resizedShorterSide(to: 12, interpolation: .nearest)
        .centerCropped(width: 8, height: 8))
    #expect(throws: ImagingError.self) {
      try explicit.fitted(wide, channels: 3, width: 10, height: 10)
    }
    explicit.crop = 13
    #expect(throws: ImagingError.self) {
      try explicit.fitted(wide, channels: 3, width: nil, height: nil)
    }
  }

  @Test("channels that a picture cannot give and wrong numbers are errors")
  func errors() throws {
    let picture = try Image(width: 1, height: 1, color: .white)
    for (preset, channels) in [
      (Preprocessing.unit, 2), (.unit, 4), (.caffe, 1), (.imagenet, 1), (.unit, 0), (.unit, -3),
    ] {
      #expect(throws: ImagingError.self) {
        try preset.apply(to: picture, channels: channels, width: 1, height: 1)
      }
      #expect(throws: ImagingError.self) { try preset.apply(to: .black, channels: channels) }
    }
    for std in [[0], [.nan], [1, 2], []] {
      var preset = Preprocessing.unit
      preset.std = std
      #expect(throws: ImagingError.self) { try preset.apply(to: .black, channels: 3) }
    }
    #expect(throws: ImagingError.self) {
      try Preprocessing.unit.apply(to: picture, channels: 3, width: 0, height: -1)
    }
  }

  @Test("an unknown name is answered with the closest")
  func unknownName() {
    let error = #expect(throws: ImagingError.self) { try Preprocessing.named("imagnet") }
    #expect(error?.description.contains("did you mean 'imagenet'?") == true)
  }
}

@Suite("Fixture pictures", .enabled(if: Fixtures.areAvailable, "fixtures folder not found"))
struct FixturePictureTests {
  @Test(
    "scaled and cropped photos equal those Pillow made",
    arguments: [
      "pelican.jpeg", "tabby_on_table.jpg", "hummingbird.jpg", "goldfish.jpg", "kitten.png",
    ])
  func photos(_ name: String) throws {
    let original = try Fixtures.image(name).convertedToRGB()
    let prepared =
      original.width == 224
      ? original
      : try original.resizedShorterSide(to: 256).centerCropped(width: 224, height: 224)
    let stem = name.prefix { $0 != "." }
    #expect(try prepared == Fixtures.image("photo_224/\(stem).png"))
  }

  @Test(
    "preprocessed pictures equal the models' stored inputs bit for bit",
    arguments: [
      ("photo_224/kitten.png", "squeezenet_imagenet/kitten", "caffe", 3, 224),
      ("photo_224/pelican.png", "squeezenet_imagenet/pelican", "caffe", 3, 224),
      ("cifar10/cat_0000.png", "resnet20_cifar10/cat_0000", "cifar10", 3, 32),
      ("cifar10/ship_0000.png", "captum_cifar_cnn/ship_0000", "signed", 3, 32),
      ("mnist/digit7_t10k_00000.png", "lenet_mnist/digit7_t10k_00000", "unit", 1, 28),
    ])
  func inputs(
    _ picture: String, _ golden: String, _ preset: String, _ channels: Int, _ side: Int
  ) throws {
    let input = try Preprocessing.named(preset)
      .apply(to: Fixtures.image(picture), channels: channels, width: side, height: side)
    #expect(try input.values == Fixtures.array(golden + "/input.npy"))
  }

  @Test("aug-net's gray picture is halved by nearest neighbour")
  func augnet() throws {
    var preprocessing = Preprocessing.unit
    preprocessing.interpolation = .nearest
    let input = try preprocessing.apply(
      to: Fixtures.image("augnet_sample_input.jpg"), channels: 1, width: 256, height: 256)
    #expect(try input.values == Fixtures.array("augnet/sample/input.npy"))
  }

  @Test("a coarse class activation map is interpolated as the reference")
  func gradCAM() throws {
    let raw = try Fixtures.array("squeezenet_imagenet/kitten/gradcam0_raw.npy")
    let side = Int(Double(raw.count).squareRoot())
    let map = try HeatMap(width: side, height: side, values: raw).resized(width: 224, height: 224)
    let expected = try Fixtures.array("squeezenet_imagenet/kitten/gradcam0_bilinear.npy")
    let largest = expected.max() ?? 0
    let gap = zip(map.values, expected).map { abs($0 - $1) }.max() ?? .infinity
    // Three roundings of single precision per value.
    #expect(gap <= 4e-7 * largest)
  }
}
