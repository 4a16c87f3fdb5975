extension String {
  /// Returns the text with everything that could steer a terminal or hide from a reader written out
  /// as `\u{1B}`: control characters, line ends included, and the marks that reverse or isolate the
  /// direction of writing.
  ///
  /// File names, labels and names inside models are written by strangers; nothing of theirs is shown
  /// to a person without passing through here.
  ///
  /// - Complexity: O(length).
  package var visible: String {
    guard unicodeScalars.contains(where: \.isInvisible) else { return self }
    var result = ""
    for scalar in unicodeScalars {
      if scalar.isInvisible {
        result += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}

extension Unicode.Scalar {
  fileprivate var isInvisible: Bool {
    switch value {
    case 0x00...0x1F, 0x7F...0x9F: true  // C0, delete, C1
    case 0x200B, 0x200E, 0x200F, 0x061C, 0xFEFF: true  // zero-width space, marks of direction
    case 0x202A...0x202E, 0x2066...0x2069: true  // embeddings, overrides, isolates
    case 0x2028, 0x2029: true  // line and paragraph separators
    default: false
    }
  }
}
