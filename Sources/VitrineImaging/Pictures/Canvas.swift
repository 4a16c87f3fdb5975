/// An RGB picture that is drawn on; whatever falls outside is left out.
struct Canvas {
  private(set) var image: Image

  init(width: Int, height: Int, background: Color) {
    image = Image(checkedWidth: width, height: height, filledWith: background.samples)
  }

  /// Copies a picture, converted to RGB, with its top left corner at `(x, y)`.
  mutating func draw(_ picture: Image, x: Int, y: Int) {
    let picture = picture.convertedToRGB()
    let columns = max(0, -x)..<max(max(0, -x), min(picture.width, image.width - x))
    guard !columns.isEmpty else { return }
    for row in max(0, -y)..<max(max(0, -y), min(picture.height, image.height - y)) {
      let source = row * picture.width * 3
      let target = ((y + row) * image.width + x) * 3
      let samples = columns.lowerBound * 3..<columns.upperBound * 3
      image.pixels.replaceSubrange(
        target + samples.lowerBound..<target + samples.upperBound,
        with: picture.pixels[source + samples.lowerBound..<source + samples.upperBound])
    }
  }

  /// Fills a rectangle.
  mutating func fill(x: Int, y: Int, width: Int, height: Int, _ color: Color) {
    for row in max(0, y)..<max(max(0, y), min(y + height, image.height)) {
      for column in max(0, x)..<max(max(0, x), min(x + width, image.width)) {
        let target = (row * image.width + column) * 3
        image.pixels[target] = color.red
        image.pixels[target + 1] = color.green
        image.pixels[target + 2] = color.blue
      }
    }
  }

  /// Writes one line of text with its top left corner at `(x, y)`; each dot has `size` pixels.
  mutating func write(_ text: String, x: Int, y: Int, size: Int = 1, color: Color = .black) {
    for (index, character) in text.enumerated() {
      let left = x + index * BitmapFont.advance * size
      if left >= image.width { return }
      for row in 0..<BitmapFont.glyphHeight {
        for column in 0..<BitmapFont.glyphWidth
        where BitmapFont.isSet(character, x: column, y: row) {
          fill(x: left + column * size, y: y + row * size, width: size, height: size, color)
        }
      }
    }
  }
}
