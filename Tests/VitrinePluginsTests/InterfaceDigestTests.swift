import CVitrinePlugin
import Testing

/// The digest in `vitrine_plugin.h` against the sources.
@Suite("Digest of the core's declarations")
struct InterfaceDigestTests {
  @Test("the digest that plugins carry is that of the sources")
  func current() throws {
    #expect(
      try InterfaceDigest.current(of: Toolchain.root + "/Sources") == VITRINE_INTERFACE,
      """
      declarations of \(InterfaceDigest.modules.joined(separator: ", ")) have changed, so plugins built \
      before must be refused: run .ci/interface-digest
      """)
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
