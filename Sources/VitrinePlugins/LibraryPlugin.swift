import CVitrinePlugin
import VitrineCore
import VitrineFiles
import VitrinePluginKit

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A plugin that is loaded into this process: a shared library.
///
/// Its code can do whatever this program can, and a crash of it is a crash of this program: it is for code
/// one would link. What is checked, in this order: that the file is a whole shared library of this machine;
/// the handshake in its bytes; then it is loaded; that it brings no copy of the core of its own; the
/// handshake it answers; and only then its Swift is called.
struct LibraryPlugin {
  private typealias TellHandshake = @convention(c) () -> UnsafePointer<CChar>?
  private typealias Register = @convention(c) (UnsafeMutableRawPointer) -> Void

  /// Largest file that is read, in bytes.
  private static let largestFile = 256 << 20
  /// The descriptor of the protocol `Explainer`, which only the program itself must define.
  private static let coreSymbol = "$s11VitrineCore9ExplainerMp"

  let explainers: [any Explainer.Type]

  /// Loads a library; it stays loaded, as Swift code cannot be unloaded.
  init(contentsOf path: String) throws(PluginError) {
    try Self.checkFile(path)
    #if os(Linux)
      guard dlopen("libswiftCore.so", RTLD_LAZY | RTLD_NOLOAD) != nil else {
        throw .cannotLoad(
          plugin: path,
          reason: "this vitrine is linked with -static-stdlib and shares no Swift runtime; "
            + "run the plugin in a process of its own")
      }
    #endif
    // A name without a slash would be searched for in the system's folders.
    guard let library = dlopen(path.contains("/") ? path : "./" + path, RTLD_NOW | RTLD_LOCAL)
    else { throw .cannotLoad(plugin: path, reason: Self.loaderMessage()) }
    guard dlsym(library, Self.coreSymbol) == nil else {
      throw .notAPlugin(
        plugin: path,
        reason: "it holds a copy of VitrineCore of its own: link the plugin's own objects only")
    }
    guard let tell = dlsym(library, "vitrine_plugin_handshake"),
      let register = dlsym(library, "vitrine_plugin_register")
    else {
      throw .notAPlugin(
        plugin: path,
        reason: "expected the C functions vitrine_plugin_handshake and vitrine_plugin_register")
    }
    guard let text = unsafeBitCast(tell, to: TellHandshake.self)(),
      let handshake = Handshake(
        String(
          decoding: UnsafeRawBufferPointer(start: text, count: strnlen(text, Handshake.longest)),
          as: UTF8.self))
    else { throw .notAPlugin(plugin: path, reason: "its handshake cannot be read") }
    try Handshake.host.check(handshake, of: path)

    let registry = PluginRegistry()
    withExtendedLifetime(registry) {
      unsafeBitCast(register, to: Register.self)(Unmanaged.passUnretained(registry).toOpaque())
    }
    explainers = registry.explainers
  }

  /// Checks what can be seen without running a line of the library's code.
  private static func checkFile(_ path: String) throws(PluginError) {
    let bytes: [UInt8]
    do {
      bytes = try InputFile.bytes(at: path, what: "plugin", limit: largestFile)
    } catch {
      throw .cannotOpen(plugin: path, reason: error.message)
    }
    #if os(Linux)
      do {
        _ = try SharedObject(bytes)
      } catch {
        throw .notAPlugin(plugin: path, reason: error.text)
      }
    #endif
    guard let handshake = Handshake(in: bytes) else {
      throw .notAPlugin(
        plugin: path, reason: "expected a Vitrine plugin, found a library without a handshake")
    }
    try Handshake.host.check(handshake, of: path)
  }

  private static func loaderMessage() -> String {
    let text = dlerror().map { String(cString: $0) } ?? "no reason given"
    return text.contains("undefined symbol")
      ? text + "; the program must export the core's symbols, as the package's own vitrine does"
      : text
  }
}
