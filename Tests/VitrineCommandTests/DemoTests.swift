import Foundation
import Testing
import VitrineCommand
import VitrineImaging
import VitrineNetwork

private let isOptimized: Bool = {
  #if DEBUG
    false
  #else
    true
  #endif
}()

/// The demonstration computes for five seconds in release and for a minute in debug.
@Suite("demo", .enabled(if: isOptimized))
struct DemoTests {
  @Test("it learns, explains, and writes the same files every time")
  func demonstration() throws {
    let workspace = try Workspace()
    let first = workspace.run(["demo", "--output", "@a"])
    #expect(first.code == .success, "\(first.errors)")
    let second = workspace.run(["demo", "--output", "@b", "--threads", "1"])
    #expect(second.code == .success)
    let names = workspace.contents.filter { $0.hasPrefix("a/") }.map { String($0.dropFirst(2)) }
    #expect(names.contains("index.html") && names.contains("shapes.onnx"))
    for name in names {
      #expect(try workspace.bytes("a/" + name) == workspace.bytes("b/" + name), "\(name)")
    }

    let accuracy = try #require(
      first.output.firstMatch(of: #/names ([0-9.]+)% of 250/#).flatMap { Double($0.1) })
    // 99.2 to 100 with six seeds; less means that a seed decides again whether it learns.
    #expect(accuracy > 97)
    // The gradient finds more of the shapes than a map that knows nothing.
    let found = try #require(
      first.output.firstMatch(of: #/gradient-magnitude +([0-9.]+)%/#).flatMap { Double($0.1) })
    let random = try #require(
      first.output.firstMatch(of: #/control: a random map +([0-9.]+)%/#).flatMap { Double($0.1) })
    #expect(found > 1.5 * random)

    // The model it leaves is one that the other verbs take.
    let predicted = workspace.run([
      "predict", "@a/shapes.onnx", "@a/circle.png", "--preprocess", "unit", "--labels",
      "@a/labels.txt",
    ])
    #expect(predicted.output.contains("chance of circle (class 0"))
  }
}
