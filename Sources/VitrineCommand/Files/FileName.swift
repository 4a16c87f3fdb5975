/// Names of files made from names of other things.
package enum FileName {
  /// Returns the last part of a path without its extension: `kitten` for `photos/kitten.png`.
  package static func stem(of path: String) -> String {
    let name = last(of: path)
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return name }
    return String(name[..<dot])
  }

  /// Returns the last part of a path.
  package static func last(of path: String) -> String {
    path.split(separator: "/").last.map(String.init) ?? path
  }

  /// Returns the extension in lower case without the dot; empty if there is none.
  package static func pathExtension(of path: String) -> String {
    let name = last(of: path)
    guard let dot = name.lastIndex(of: "."), dot != name.startIndex else { return "" }
    return String(name[name.index(after: dot)...]).lowercased()
  }

  /// Returns a name that is safe on every file system: letters, digits, `-`, `_` and `.` of ASCII,
  /// never empty, never hidden, at most 100 characters.
  package static func safe(_ text: String) -> String {
    var name = ""
    for scalar in text.unicodeScalars.prefix(100) {
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", "-", "_", ".": name.unicodeScalars.append(scalar)
      default: if !name.hasSuffix("_") { name += "_" }
      }
    }
    while let first = name.first, first == "." || first == "-" { name.removeFirst() }
    return name.isEmpty ? "unnamed" : name
  }

  /// Returns a path of a name inside a folder.
  package static func join(_ folder: String, _ name: String) -> String {
    folder.isEmpty || folder.hasSuffix("/") ? folder + name : folder + "/" + name
  }
}
