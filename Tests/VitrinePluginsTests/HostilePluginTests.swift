import Foundation
import Testing
import Vitrine
import VitrineConformance
import VitrineCore
import VitrinePlugins

/// A plugin in a process of its own that does one thing wrong at a time: the host is this test.
@Suite("Plugins in processes of their own")
struct HostilePluginTests {
  private let catalog: PluginCatalog
  private let model = AnalyticModel.classifier
  private let inputs: Inputs

  init() throws {
    var catalog = PluginCatalog(
      extending: MethodCatalog(), limits: PluginLimits(seconds: 20, messageSize: 64 << 20))
    catalog.add(at: Products.hostilePlugin)
    self.catalog = catalog
    inputs = try Inputs(Tensor([0.5, -1, 2, 0.25] as [Float], shape: [1, 4]), for: model)
  }

  private func explain(
    _ mode: String, seconds: Double? = nil, memory: Int = 4 << 30, context: Context = Context()
  ) throws -> Explanation {
    var catalog = catalog
    if let seconds {
      catalog = PluginCatalog(
        extending: MethodCatalog(), limits: PluginLimits(seconds: seconds, memory: memory))
      catalog.add(at: Products.hostilePlugin)
    }
    return try catalog.methods.explainer(named: "hostile", options: ["mode": mode]).explain(
      model, at: inputs, target: .top, context: context)
  }

  private func message(_ mode: String, seconds: Double? = nil, memory: Int = 4 << 30) -> String {
    do {
      _ = try explain(mode, seconds: seconds, memory: memory)
      return "an explanation"
    } catch {
      return "\(error)"
    }
  }

  @Test("its methods are listed with everything their manifests say")
  func manifests() throws {
    #expect(catalog.plugins.count == 1)
    #expect(catalog.plugins[0].refusal == nil && catalog.plugins[0].place == .process)
    #expect(catalog.methods.methods.dropLast() == MethodCatalog.standard.methods[...])
  }

  @Test(
    "every method that comes with Vitrine gives the same bits from there",
    arguments: MethodCatalog.standard.methods)
  func equality(method: Method) throws {
    for subject in Conformance.cases {
      let here = try MethodCatalog.standard.explainer(named: method.identifier)
      let there = try catalog.methods.explainer(named: method.identifier)
      let context = Context(seed: 3)
      func answer(_ explainer: any Explaining) -> Result<Explanation, any Error> {
        Result {
          try explainer.explain(
            subject.model, at: subject.inputs, target: .top, context: context)
        }
      }
      switch (answer(here), answer(there)) {
      case (.success(let expected), .success(let found)):
        #expect(found.attributions.map(\.tensor) == expected.attributions.map(\.tensor))
        #expect(found.attributions.map(\.name) == expected.attributions.map(\.name))
        #expect(found.attributions.map(\.axes) == expected.attributions.map(\.axes))
        #expect(found.attributions.map(\.range) == expected.attributions.map(\.range))
        #expect(found.explained.values == expected.explained.values)
        #expect(found.explained.elements == expected.explained.elements)
        #expect(found.explained.site == expected.explained.site)
        #expect(found.warnings == expected.warnings)
        #expect(found.diagnostics.map(\.name) == expected.diagnostics.map(\.name))
      case (.failure(let expected), .failure(let found)):
        #expect("\(found)".contains("\(expected)"), "\(subject.name)")
      case (let expected, let found):
        Issue.record("\(subject.name): expected \(expected), found \(found)")
      }
    }
  }

  @Test("what it prints and a flood on standard error do no harm", arguments: ["prints", "floods"])
  func output(mode: String) throws {
    #expect(try explain(mode).attribution.tensor == inputs.tensors[0].value)
  }

  @Test(
    "what it does wrong is told, and the host goes on",
    arguments: [
      ("fails", "it failed: as it was told to"),
      ("traps", "signal 4 (a trap)"),
      ("aborts", "signal 6 (it aborted)"),
      ("overflows", "signal 11 (a bad memory access)"),
      ("exits", "exited with code 0 without an answer"),
      ("closes", "closed its line without an answer"),
      ("file", "signal 25 (it wrote too large a file)"),
      ("shape", "1 axes"),
      ("batch", "1 samples"),
      ("axes", "0"),
      ("nan", "NaN"),
      ("infinity", "NaN or infinity"),
      ("values", "a value of the score"),
      ("elements", "an explained element"),
      ("empty", "elements"),
      ("masses", "a head of at most"),
      ("garbage", "expected a message, found '<html>'"),
      ("huge-head", "expected a head of at most"),
      ("huge-body", "bytes of tensors, found 18446744073709551615"),
      ("json", "JSON: expected ',' or '}'"),
      ("deep", "levels"),
      ("number", "JSON: expected a value"),
      ("tensor", "expected one of 0 tensors, found number 7"),
      ("body-short", "expected 4194304 bytes"),
      ("body-long", "8 bytes more"),
      ("bool", "expected 0 or 1"),
      ("shapeOverflow", "expected a shape"),
      ("unknown", "found 'please'"),
      ("question", "expected a member 'objective'"),
      ("progress", "expected progress"),
      ("model", "input"),
      ("unnamed", "no such layer"),
      ("cotangent", "cotangent"),
      ("other-site", "expected one target"),
    ])
  func faults(mode: String, message expected: String) {
    let found = message(mode)
    #expect(found.contains(expected), "\(mode): \(found)")
  }

  @Test(
    "it is stopped when its time is over", .timeLimit(.minutes(5)),
    arguments: ["loops", "sleeps", "grandchild", "progress-flood"])
  func time(mode: String) {
    // Without the limit it would go on for ever.
    #expect(message(mode, seconds: 2).contains("stopped after 2.0 seconds"))
  }

  @Test("it gets no more memory than it may have")
  func memory() {
    #expect(message("memory", seconds: 60, memory: 512 << 20).contains("it was ended by signal"))
  }

  @Test("an error of the host's own model comes back as it was thrown")
  func modelErrors() throws {
    #expect(throws: CoreError.self) { try explain("unnamed") }
  }

  @Test("a cancelled run stops before its time is over")
  func cancellation() async throws {
    let cancellation = Cancellation()
    Thread.detachNewThread {
      Thread.sleep(forTimeInterval: 0.5)
      cancellation.cancel()
    }
    #expect(throws: CoreError.cancelled) {
      try explain("sleeps", context: Context(cancellation: cancellation))
    }
  }

  @Test(
    "one that cannot say what it has is refused",
    arguments: [
      ("silent", "stopped after 2.0 seconds"), ("garbage", "found 'I am no plugin"),
      ("old", "expected protocol 1, found protocol 0"), ("range", "expected a range"),
      ("name", "expected a name in kebab-case"), ("exit", "exited with code 3"),
      ("empty", "it has no methods"),
    ])
  func refusals(name: String, reason: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path + "/hostile-" + name
    try FileManager.default.createSymbolicLink(
      atPath: path, withDestinationPath: Products.hostilePlugin)
    var catalog = PluginCatalog(extending: MethodCatalog(), limits: PluginLimits(seconds: 2))
    catalog.add(at: folder.path)
    #expect(catalog.methods.methods.isEmpty)
    let refusal = try #require(catalog.plugins.first?.refusal)
    #expect(refusal.description.contains(reason), "\(refusal)")
    #expect(refusal.description.contains(path))
  }
}
