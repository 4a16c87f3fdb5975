import PackagePlugin

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// `swift package --allow-writing-to-package-directory new-explainer my-method`
///
/// Runs `ExplainerScaffold`, which makes the files, on this package.
@main struct NewExplainer: CommandPlugin {
  func performCommand(context: PluginContext, arguments: [String]) throws {
    let tool = try context.tool(named: "ExplainerScaffold").url.path
    let status = try run([tool, context.package.directoryURL.path] + arguments)
    guard status == 0 else { throw Refusal("nothing was made") }
  }

  /// Runs a program with this process's output and waits for it to end.
  ///
  /// - Parameter words: The program's path, then its arguments.
  /// - Returns: What `waitpid` says of its end; 0 is success.
  /// - Throws: ``Refusal`` if it cannot be started.
  private func run(_ words: [String]) throws -> Int32 {
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    // Where the toolchain is not in its usual place, its libraries are found by these.
    var environment: [UnsafeMutablePointer<CChar>?] =
      ["PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"].compactMap { name in
        getenv(name).flatMap { strdup(name + "=" + String(cString: $0)) }
      } + [nil]
    defer { for text in arguments + environment { free(text) } }
    var child = pid_t()
    let failure = posix_spawn(&child, words[0], nil, nil, &arguments, &environment)
    guard failure == 0 else {
      throw Refusal("cannot run \(words[0]): \(String(cString: strerror(failure)))")
    }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 {
      guard errno == EINTR else { throw Refusal("\(words[0]) cannot be waited for") }
    }
    return status
  }
}

/// Why nothing was made.
struct Refusal: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
