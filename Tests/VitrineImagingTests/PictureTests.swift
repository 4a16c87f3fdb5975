import Foundation
import Testing
import VitrineImaging

@Suite("Colour maps")
struct ColorMapTests {
  @Test("ends are the published colours")
  func ends() {
    #expect(ColorMap.viridis.color(at: 0) == Color(red: 68, green: 1, blue: 84))
    #expect(ColorMap.viridis.color(at: 1) == Color(red: 253, green: 231, blue: 37))
    #expect(ColorMap.magma.color(at: 1) == Color(red: 252, green: 253, blue: 191))
    #expect(ColorMap.inferno.color(at: 1) == Color(red: 252, green: 255, blue: 164))
    #expect(ColorMap.cividis.color(at: 0) == Color(red: 0, green: 34, blue: 78))
    #expect(ColorMap.gray.color(at: 0.5) == Color.gray)
    #expect(ColorMap.viridis.color(at: -.infinity) == ColorMap.viridis.colors[0])
    #expect(ColorMap.viridis.color(at: .infinity) == ColorMap.viridis.colors[255])
    #expect(ColorMap.viridis.color(at: .nan) == ColorMap.viridis.colors[0])
  }

  @Test("sequential maps grow in lightness", arguments: ColorMap.all.filter { !$0.isDiverging })
  func monotone(_ map: ColorMap) {
    #expect(map.colors.count == 256)
    let levels = map.colors.map(lightness)
    // Eight-bit rounding may undo one step by a fraction of a unit.
    #expect(zip(levels, levels.dropFirst()).allSatisfy { $0 < $1 + 0.3 })
    #expect(levels[255] - levels[0] > 70)
  }

  @Test("the diverging map is neutral in the middle and equally dark on both sides")
  func symmetric() {
    let colors = ColorMap.diverging.colors
    let middle = colors[colors.count / 2]
    #expect(middle.red == middle.green && middle.green == middle.blue && middle.red > 240)
    for index in 0..<(colors.count / 2) {
      let gap = lightness(colors[index]) - lightness(colors[colors.count - 1 - index])
      // Rounding to 8 bits moves lightness by up to half a unit.
      #expect(abs(gap) < 0.6)
    }
    #expect(colors[0].blue > colors[0].red && colors[254].red > colors[254].blue)
  }

  @Test("an unknown name is answered with the closest")
  func unknownName() throws {
    #expect(try ColorMap.named("viridis") == .viridis)
    let error = #expect(throws: ImagingError.self) { try ColorMap.named("virids") }
    #expect(error?.description.contains("did you mean 'viridis'?") == true)
  }

  /// CIE L*.
  private func lightness(_ color: Color) -> Double {
    func linear(_ sample: UInt8) -> Double {
      let value = Double(sample) / 255
      return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }
    let luminance =
      0.2126 * linear(color.red) + 0.7152 * linear(color.green) + 0.0722 * linear(color.blue)
    return luminance > 0.008856 ? 116 * cbrt(luminance) - 16 : 903.3 * luminance
  }
}

@Suite("Heat maps")
struct HeatMapTests {
  @Test("a fitted scale ignores outliers and keeps zero in place")
  func fitting() throws {
    // NumPy: percentile(0...100, 99) = 99.
    let ramp = (0...100).map { Float($0) }
    #expect(try ColorScale.fitted(to: ramp) == .sequential(low: 0, high: 99))
    #expect(try ColorScale.fitted(to: ramp.map { -$0 }) == .diverging(limit: 99))
    #expect(try ColorScale.fitted(to: ramp, signed: true) == .diverging(limit: 99))
    #expect(
      try ColorScale.fitted(to: [1, 2, .nan, .infinity], percentile: 50)
        == .sequential(low: 0, high: 1.5))
    #expect(try ColorScale.fitted(to: [0, 0]) == .sequential(low: 0, high: 1))
    let spike = [Float](repeating: 0, count: 1000) + [5]
    #expect(try ColorScale.fitted(to: spike) == .sequential(low: 0, high: 5))
  }

  @Test("positions do not overflow and strength is the distance from zero")
  func positions() {
    let wide = ColorScale.sequential(
      low: -.greatestFiniteMagnitude, high: .greatestFiniteMagnitude)
    #expect(wide.position(of: 0) == 0.5)
    #expect(wide.position(of: .infinity) == 1)
    let signed = ColorScale.diverging(limit: 2)
    #expect(signed.position(of: 0) == 0.5 && signed.position(of: -2) == 0)
    #expect(signed.strength(of: -1) == 0.5 && signed.strength(of: 3) == 1)
    #expect(signed.position(of: .nan).isNaN)
    #expect(ColorScale.sequential(low: 1, high: 1).position(of: 1) == 0.5)
  }

  @Test("missing values have their own colour and a map without numbers is an error")
  func missing() throws {
    let map = try HeatMap(width: 2, height: 2, values: [0, 1, .nan, .infinity])
    let picture = try map.rendered(scale: .sequential(low: 0, high: 1), colorMap: .gray)
    #expect(picture.pixels == [0, 0, 0, 255, 255, 255, 128, 128, 128, 255, 255, 255])
    let nothing = try HeatMap(width: 2, height: 1, values: [.nan, .nan])
    #expect(throws: ImagingError.noFiniteValues(count: 2)) { try nothing.rendered() }
    #expect(throws: ImagingError.noFiniteValues(count: 2)) {
      try nothing.rendered(scale: .diverging(limit: 1))
    }
    #expect(throws: ImagingError.self) { try map.rendered(scale: .sequential(low: 1, high: 0)) }
    #expect(throws: ImagingError.self) { try map.rendered(scale: .diverging(limit: .nan)) }
    #expect(throws: ImagingError.self) { try HeatMap(width: 2, height: 2, values: [1]) }
  }

  @Test("enlarging interpolates between cell centres and clamps at the edges")
  func enlarging() throws {
    let map = try HeatMap(width: 2, height: 1, values: [0, 4]).resized(width: 4, height: 2)
    #expect(map.values == [0, 1, 3, 4, 0, 1, 3, 4])
    let missing = try HeatMap(width: 3, height: 1, values: [.nan, 1, 2]).resized(
      width: 6, height: 1)
    #expect(missing.values.filter(\.isNaN).count == 3)
  }

  @Test("the photo shows through where there is no evidence")
  func overlay() throws {
    let photo = try Image(width: 3, height: 1, channels: 3, pixels: [255, 0, 0, 0, 0, 0, 0, 0, 0])
    let map = try HeatMap(width: 3, height: 1, values: [0, 1, .nan])
    let picture = try map.overlaid(
      on: photo, scale: .sequential(low: 0, high: 1), colorMap: .gray, opacity: 1)
    // The first pixel is the photo without colour (luma of pure red), the last is missing.
    #expect(picture.pixels == [76, 76, 76, 255, 255, 255, 0, 0, 0])
  }

  @Test("channels are drawn on one scale in a grid with gaps")
  func channels() throws {
    let grid = try HeatMap.channelGrid(
      [0, 0, 1, .nan], channels: 4, width: 1, height: 1, scale: .sequential(low: 0, high: 1),
      colorMap: .gray, magnification: 2)
    #expect(grid.width == 10 && grid.height == 10)
    func level(_ x: Int, _ y: Int) -> UInt8 { grid.pixels[(y * 10 + x) * 3] }
    #expect(level(0, 0) == 255 && level(2, 2) == 0 && level(4, 3) == 255 && level(6, 2) == 0)
    #expect(level(3, 7) == 255 && level(7, 7) == 128)
    #expect(throws: ImagingError.self) {
      try HeatMap.channelGrid([1], channels: 2, width: 1, height: 1)
    }
  }
}

@Suite("Layouts")
struct LayoutTests {
  @Test("grids, strips and stacks have room for their pictures and gaps")
  func sizes() throws {
    let small = try Image(width: 4, height: 3, color: .black)
    let large = try Image(width: 6, height: 5, color: .black)
    let grid = try Image.grid([small, large, small], columns: 2, gap: 1)
    #expect(grid.width == 15 && grid.height == 13)
    let strip = try Image.strip([small, large], gap: 0)
    #expect(strip.width == 12 && strip.height == 5)
    let stack = try Image.stack([small, large], gap: 2)
    #expect(stack.width == 6 && stack.height == 10)
    #expect(throws: ImagingError.self) { try Image.grid([]) }
    #expect(throws: ImagingError.self) { try Image.stack([]) }
    #expect(throws: ImagingError.self) { try Image.grid([small], columns: 0) }
    #expect(throws: ImagingError.self) { try Image.grid([small], gap: -1) }
  }

  @Test("a title is written above the picture in as many lines as it needs")
  func titles() throws {
    let picture = try Image(width: 34, height: 3, color: .gray)
    let one = try picture.titled("short")
    #expect(one.height == 3 + 11 + 4)
    let two = try picture.titled("one\ntwo")
    #expect(two.height == 3 + 22 + 4)
    #expect(try picture.titled("a word-that-is-long").height == 3 + 5 * 11 + 4)
    // The letter l: a column of dots in the middle of the glyph.
    let letter = try picture.titled("l")
    #expect((2...8).allSatisfy { letter.pixels[($0 * 34 + 4) * 3] == 0 })
    #expect(letter.pixels.suffix(3 * 34 * 3).allSatisfy { $0 == 128 })
    #expect(throws: ImagingError.self) { try picture.titled("x", size: 0) }
  }

  @Test("a colour bar runs from the first to the last colour")
  func colorBar() throws {
    let bar = try ColorBar(scale: .diverging(limit: 0.5)).image(width: 100)
    #expect(bar.width == 100)
    let colors = ColorMap.diverging.colors
    #expect(Array(bar.pixels[0..<3]) == [colors[0].red, colors[0].green, colors[0].blue])
    let last = colors[254]
    #expect(Array(bar.pixels[297..<300]) == [last.red, last.green, last.blue])
    #expect(throws: ImagingError.self) {
      try ColorBar(scale: .diverging(limit: 1)).image(width: 3)
    }
  }

  @Test(
    "numbers are short and independent of locale",
    arguments: [
      (0, "0"), (1, "1"), (-0.5, "-0.5"), (0.0123456, "0.0123"), (0.00123, "0.00123"),
      (0.000123456, "1.23e-4"), (999.6, "1000"), (12_345, "12300"), (123_456, "1.23e5"),
      (.nan, "nan"), (-.infinity, "-inf"), (9.996, "10"), (1.5e-37, "1.5e-37"),
    ] as [(Float, String)])
  func numbers(_ value: Float, _ text: String) {
    #expect(NumberText.short(value) == text)
  }
}
