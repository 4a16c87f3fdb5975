import Foundation
public import VitrineTensor

/// The trained models, photos and reference results that some tests compare with.
///
/// They are not part of the package: a folder `shared/fixtures` beside it, or the folder that the
/// environment variable `VITRINE_FIXTURES` names. A test that needs them carries
/// `.enabled(if: Fixtures.areAvailable)`, so that its absence is visible.
public enum Fixtures {
  /// The folder; it need not exist.
  public static let directory: String = {
    if let named = ProcessInfo.processInfo.environment["VITRINE_FIXTURES"] { return named }
    var folder = URL(fileURLWithPath: #filePath)
    // Worktrees may lie deeper than the package itself: the nearest `shared/fixtures` above counts.
    while folder.path != "/" {
      folder.deleteLastPathComponent()
      let candidate = folder.appendingPathComponent("shared/fixtures").path
      if FileManager.default.fileExists(atPath: candidate) { return candidate }
    }
    return "../shared/fixtures"
  }()

  /// Whether the folder is there.
  public static let areAvailable = FileManager.default.fileExists(
    atPath: path("FIXTURES.md"))

  /// Returns the path of a file, such as `models/iris_mlp.onnx`.
  public static func path(_ name: String) -> String { directory + "/" + name }

  /// Returns the bytes of a file.
  public static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
  }

  /// Returns the array in a `.npy` file, such as `golden/iris_mlp/row0/jacobian.npy`.
  public static func tensor(_ name: String) throws -> Tensor {
    try Tensor(npy: try bytes(name))
  }
}
