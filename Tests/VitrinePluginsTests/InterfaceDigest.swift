import Foundation
import VitrineReport

/// The digest of all declarations that a plugin's code relies on.
enum InterfaceDigest {
  static let modules = ["VitrineTensor", "VitrineCore", "VitrinePluginKit"]

  /// Returns the digest of the modules in a folder of sources, in hexadecimal.
  static func current(of folder: String) throws -> String {
    var text = ""
    for module in modules {
      let names = FileManager.default.enumerator(atPath: folder + "/" + module)
      for name in (names?.compactMap { $0 as? String } ?? []).sorted()
      where name.hasSuffix(".swift") {
        let file = URL(fileURLWithPath: folder + "/" + module + "/" + name)
        text += Declarations(try String(contentsOf: file, encoding: .utf8)).text + "\n"
      }
    }
    return String(SHA256.hexadecimalDigest(of: Array(text.utf8)).prefix(16))
  }
}
