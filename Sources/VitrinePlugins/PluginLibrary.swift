import VitrinePluginKit

/// A program that lends its process to a shared library, so that the library's faults are not another's.
public enum PluginLibrary {
  /// Loads a library and answers for its explainers on the standard streams, until they close.
  ///
  /// - Throws: ``PluginError`` if the library is refused.
  public static func serve(contentsOf path: String) throws(PluginError) -> Never {
    PluginProcess.main(try LibraryPlugin(contentsOf: path).explainers)
  }
}
