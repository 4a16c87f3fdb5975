import OutsideModels
import Testing
import Vitrine

@Suite("A black box")
struct ScoringServiceTests {
  /// 3a − 2b, and nothing of c.
  private let model = ScoringService(columns: 3) { row in 3 * row[0] - 2 * row[1] }

  private var inputs: Inputs {
    get throws { try Inputs(Tensor([1.0, 2, 5, -1, 0.5, 5], shape: [2, 3]), for: model) }
  }

  @Test("occlusion of a column is what the column adds")
  func occlusion() throws {
    let result = try Occlusion().explain(model, at: inputs, target: .index(0), context: Context())
    #expect(try result.attribution.tensor.elements(of: Double.self) == [3, -4, 0, -3, -1, 0])
    #expect(result.explained.values == [-1, -4])
  }

  @Test("methods that only evaluate run; the others say what they lack")
  func catalog() throws {
    for explainer in MethodCatalog.standard.explainers {
      let method = explainer.method
      // A black box shows no layers: what can be looked at are its ports.
      let options =
        method.options.contains { $0.name == "layers" } && !method.usesTarget
        ? ["layers": "row,score"] : [:]
      let run = {
        try explainer.init(options).explain(
          model, at: inputs, target: .index(0), context: Context())
      }
      switch method.requirement {
      case .evaluation: #expect(try run().method == method.identifier)
      case .gradients:
        let error = #expect(throws: CoreError.self) { try run() }
        #expect(
          error?.description
            == "\(method.identifier) needs gradients (the protocol Differentiable), which this "
            + "model does not have")
      }
    }
  }

  @Test("an error of the service is the explanation's error")
  func failure() throws {
    struct Offline: Error {}
    let model = ScoringService(columns: 3) { _ in throw Offline() }
    #expect(throws: Offline.self) {
      try Occlusion().explain(model, at: inputs, target: .index(0), context: Context())
    }
  }

  @Test("a table of another width is refused with both shapes")
  func shapes() throws {
    let table = try Inputs(Tensor([1.0, 2], shape: [1, 2]), for: model)
    #expect(
      throws: CoreError.shapeMismatch(what: "input 'row'", expected: [1, 3], found: [1, 2])
    ) { try model.evaluate(table, observing: [.output("score")]) }
  }
}
