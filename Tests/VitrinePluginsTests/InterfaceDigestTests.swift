import CVitrinePlugin
import Foundation
import Testing
import VitrineReport

/// The digest in `vitrine_plugin.h` against the sources.
///
/// With `VITRINE_UPDATE_INTERFACE=1` in the environment it is written there before it is examined.
@Suite("Digest of the core's declarations: InterfaceDigest")
struct InterfaceDigestTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  private static let modules = ["VitrineTensor", "VitrineCore", "VitrinePluginKit"]

  private func digest() throws -> String {
    var text = ""
    for module in Self.modules {
      let folder = Self.root.appendingPathComponent("Sources/" + module)
      let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String }
      for name in (names ?? []).sorted() where name.hasSuffix(".swift") {
        let source = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
        text += Declarations(source).text + "\n"
      }
    }
    return String(SHA256.hexadecimalDigest(of: Array(text.utf8)).prefix(16))
  }

  @Test("the digest that plugins carry is that of the sources")
  func current() throws {
    let digest = try digest()
    let header = Self.root.appendingPathComponent("Sources/CVitrinePlugin/include/vitrine_plugin.h")
    if ProcessInfo.processInfo.environment["VITRINE_UPDATE_INTERFACE"] == "1" {
      let text = try String(contentsOf: header, encoding: .utf8)
      let updated = text.replacing(
        #/#define VITRINE_INTERFACE "[0-9a-f]*"/#, with: "#define VITRINE_INTERFACE \"\(digest)\"")
      if updated != text { try updated.write(to: header, atomically: true, encoding: .utf8) }
    } else {
      #expect(
        VITRINE_INTERFACE == digest,
        """
        declarations of \(Self.modules.joined(separator: ", ")) have changed, so plugins built before \
        must be refused; run: VITRINE_UPDATE_INTERFACE=1 swift test --filter InterfaceDigest
        """)
    }
  }

  @Test(
    "what callers rely on changes the declarations",
    arguments: [
      ("struct S { private let a: Int }", "struct S { private let a: Int32 }"),
      ("public struct S { let a = 1; let b = 2 }", "public struct S { let b = 2; let a = 1 }"),
      ("enum E { case a, b }", "enum E { case b, a }"),
      ("func f(_ a: Int = 1) { g() }", "func f(_ a: Int = 2) { g() }"),
      ("@inlinable func f() { g() }", "@inlinable func f() { h() }"),
      ("protocol P { var a: Int { get } }", "protocol P { var a: Int { get set } }"),
      ("protocol P { func f(); func g() }", "protocol P { func g(); func f() }"),
    ])
  func seen(before: String, after: String) {
    #expect(Declarations(before).text != Declarations(after).text)
  }

  @Test(
    "what callers do not see changes nothing",
    arguments: [
      ("func f() { g() } // one", "/// Two.\nfunc f() {\n  if a { h(\"}\") }\n}"),
      ("var a: Int { 1 }; let b: Int", "var a: Int { b + 1 };\nlet b: Int"),
      ("init(a: Int) { self.a = a }; func f()", "init(a: Int) { self.init(b: { a }) }; func f()"),
      ("/* func g() */ struct S {}", "struct S {}"),
    ])
  func unseen(before: String, after: String) {
    #expect(Declarations(before).text == Declarations(after).text)
  }
}
