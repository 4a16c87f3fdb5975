import Foundation

/// Programs that are built beside the tests.
enum Products {
  /// The folder of the build.
  static let folder: String = {
    #if os(Linux)
      let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      return URL(fileURLWithPath: own ?? CommandLine.arguments[0]).deletingLastPathComponent().path
    #else
      let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
      return (bundle ?? .main).bundleURL.deletingLastPathComponent().path
    #endif
  }()

  static let hostilePlugin = folder + "/HostilePlugin"
  static let vitrine = folder + "/vitrine"
}

/// A folder of its own, removed at the end.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "vitrine-plugins-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
