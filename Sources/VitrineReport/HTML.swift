/// A piece of a page: safe by construction.
///
/// The only way from a string to HTML is ``text(_:)``, which escapes it. Names of elements and
/// attributes are closed sets, so no name from a model or a file can become markup.
struct HTML {
  /// The elements a report uses.
  enum Element: String {
    case caption, dd, div, dl, dt, figcaption, figure, footer, h1, h2, header, img, main, p, section
    case strong, table, tbody, td, th, thead, tr
  }

  /// The attributes a report uses; every value is escaped.
  enum Attribute {
    case `class`(String)
    case alt(String)
    case scope(String)
    /// Picture data as a `data:` URL.
    case png([UInt8])
    case width(Int)
    case height(Int)

    var source: String {
      switch self {
      case .class(let value): " class=\"\(escape(value))\""
      case .alt(let value): " alt=\"\(escape(value))\""
      case .scope(let value): " scope=\"\(escape(value))\""
      case .png(let bytes): " src=\"data:image/png;base64,\(base64(bytes))\""
      case .width(let value): " width=\"\(value)\""
      case .height(let value): " height=\"\(value)\""
      }
    }
  }

  let source: String

  private init(source: String) { self.source = source }

  /// Returns text as it should read, whatever characters it holds.
  static func text(_ text: String) -> HTML { HTML(source: escape(text)) }

  /// Returns an element around its content.
  static func element(
    _ element: Element, _ attributes: [Attribute] = [], _ content: [HTML] = []
  ) -> HTML {
    let opening = "<\(element.rawValue)" + attributes.map(\.source).joined() + ">"
    if element == .img { return HTML(source: opening + "\n") }
    return HTML(
      source: opening + content.map(\.source).joined() + "</\(element.rawValue)>\n")
  }

  /// Returns a whole page that loads nothing and runs nothing.
  ///
  /// - Parameter style: A style sheet written by us; its digest goes into the page's policy, so that
  ///   no other style applies.
  static func page(title: String, style: String, body: [HTML]) -> String {
    let digest = base64(SHA256.digest(of: Array(style.utf8)))
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
      style-src 'sha256-\(digest)'; base-uri 'none'; form-action 'none'">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <title>\(escape(title))</title>
      <style>\(style)</style>
      </head>
      <body>
      \(body.map(\.source).joined())</body>
      </html>

      """
  }
}

/// Returns text in which nothing is markup, in content and in quoted attributes alike.
private func escape(_ text: String) -> String {
  var result = ""
  for character in text.visible.unicodeScalars {
    switch character {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    default: result.unicodeScalars.append(character)
    }
  }
  return result
}
