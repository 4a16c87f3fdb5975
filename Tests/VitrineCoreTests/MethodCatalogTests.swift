import Testing
import VitrineCore
import VitrineTensor

@Suite("The method catalog")
struct MethodCatalogTests {
  private struct Mean: Explainer {
    static let method = Method(
      identifier: "mean", aliases: ["average"], summary: "Explains nothing.", paper: "none",
      requirement: .evaluation,
      options: [Option("steps", .integer(1...9), default: "3", help: "Steps.")])
    let steps: Int

    init(options: Options) { steps = options.integer("steps") }

    func explain(
      _ model: any Model, at inputs: Inputs, target: Target, context: Context
    ) throws -> Explanation {
      _ = try differentiable(model)
      throw CoreError.cancelled
    }
  }

  private struct Average: Explainer {
    static let method = Method(
      identifier: "average", summary: "Has the name of another's alias.", paper: "none",
      requirement: .evaluation, options: [])

    init(options: Options) {}

    func explain(
      _ model: any Model, at inputs: Inputs, target: Target, context: Context
    ) throws -> Explanation { throw CoreError.cancelled }
  }

  @Test("an explainer is found by identifier and alias, and made with its options")
  func lookup() throws {
    let catalog = try MethodCatalog([Mean.self])
    #expect(catalog.methods == [Mean.method])
    for name in ["mean", "average"] {
      let explainer = try catalog.explainer(named: name, options: ["steps": "4"])
      #expect((explainer as? Mean)?.steps == 4)
    }
    #expect(throws: CoreError.self) { try catalog.explainer(named: "mean", options: ["step": "4"]) }
  }

  @Test("a name that is taken, as identifier or alias, is refused and nothing changes")
  func duplicates() throws {
    var catalog = try MethodCatalog([Mean.self])
    #expect(throws: CoreError.duplicateMethod("mean")) { try catalog.register(Mean.self) }
    #expect(throws: CoreError.duplicateMethod("average")) { try catalog.register(Average.self) }
    #expect(catalog.methods.count == 1)
  }

  @Test("an unknown name is refused with the nearest, aliases included")
  func unknown() throws {
    let catalog = try MethodCatalog([Mean.self])
    #expect(
      throws: CoreError.unknownName(
        what: "method", name: "averag", suggestion: "average", known: ["mean"])
    ) { try catalog.explainerType(named: "averag") }
    #expect(throws: CoreError.self) { try MethodCatalog().explainerType(named: "mean") }
  }

  @Test("a model that cannot be differentiated is refused by name")
  func capability() throws {
    let model = FixedModel(logits: Tensor([0] as [Float]))
    let error = #expect(throws: CoreError.self) {
      try Mean().explain(model, at: Inputs([]), target: .top, context: Context())
    }
    #expect(
      error
        == .missingCapability(method: "mean", needs: "gradients (the protocol Differentiable)"))
  }
}
