import Foundation

/// The digest of all declarations that a plugin's code relies on; `.ci/interface-digest` compiles this file
/// on its own.
enum InterfaceDigest {
  static let modules = ["VitrineTensor", "VitrineCore", "VitrinePluginKit"]

  /// Returns the digest of the modules in a folder of sources: 64-bit FNV-1a of their declarations, in
  /// hexadecimal.
  static func current(of folder: String) throws -> String {
    var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    for module in modules {
      let names = FileManager.default.enumerator(atPath: folder + "/" + module)
      for name in (names?.compactMap { $0 as? String } ?? []).sorted()
      where name.hasSuffix(".swift") {
        let file = URL(fileURLWithPath: folder + "/" + module + "/" + name)
        for byte in Declarations(try String(contentsOf: file, encoding: .utf8)).text.utf8 {
          digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3
        }
      }
    }
    let digits = String(digest, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Writes the digest into the header that plugins are compiled with.
  static func write(into header: URL, of folder: String) throws {
    let text = try String(contentsOf: header, encoding: .utf8)
    let updated = text.replacing(
      #/#define VITRINE_INTERFACE "[0-9a-f]*"/#,
      with: "#define VITRINE_INTERFACE \"\(try current(of: folder))\"")
    if updated != text { try updated.write(to: header, atomically: true, encoding: .utf8) }
  }
}
