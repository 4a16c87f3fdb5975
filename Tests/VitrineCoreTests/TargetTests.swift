import Testing
import VitrineCore
import VitrineTensor

@Suite("Targets")
struct TargetTests {
  private let inputs = Inputs([("x", Tensor([0, 0] as [Float]))])

  private func model(_ logits: [Float], _ shape: [Int]) throws -> FixedModel {
    FixedModel(logits: try Tensor(logits, shape: shape))
  }

  private func elements(
    _ target: Target, _ model: FixedModel, labels: [String]? = nil
  ) throws -> [Int] {
    try model.resolve(target, at: inputs, context: Context(labels: labels)).elements
  }

  // MARK: - The largest element

  @Test("the top element is chosen for each sample, the lowest index on ties")
  func top() throws {
    #expect(try elements(.top, model([1, 3, 2, 5, 4, 5], [2, 3])) == [1, 0])
    #expect(try elements(.top, model([-2, -1, -1], [1, 3])) == [1])
    #expect(try elements(.top, model([0, -0.0], [1, 2])) == [0])
  }

  @Test("an infinite logit can be the largest, a NaN makes the choice meaningless")
  func notFinite() throws {
    #expect(try elements(.top, model([1, .infinity, -.infinity], [1, 3])) == [1])
    for position in 0..<3 {
      var logits: [Float] = [1, 2, 3]
      logits[position] = .nan
      let model = try model(logits, [1, 3])
      #expect(throws: CoreError.notFinite("the model's output")) { try elements(.top, model) }
    }
  }

  @Test("no samples or no classes is an error, not a trap")
  func nothingToChooseFrom() throws {
    for shape in [[0, 3], [2, 0]] {
      let model = try model([], shape)
      #expect(throws: CoreError.elementOutOfRange(element: 0, count: 0, site: "output")) {
        try elements(.top, model)
      }
    }
  }

  // MARK: - Labels

  private let imageNet = [
    "tabby, tabby cat", "crane", "Crane machine, CRANE", "crane", "Egyptian cat",
  ]

  @Test("a label is found as it is spelled, ignoring case, or as one name of several")
  func labels() throws {
    let model = try model([0, 0, 0, 0, 0], [1, 5])
    for (label, index) in [
      ("tabby, tabby cat", 0), ("TABBY", 0), ("tabby cat", 0), ("egyptian CAT", 4),
    ] {
      #expect(try elements(.label(label), model, labels: imageNet) == [index])
    }
  }

  @Test("a label that several classes share is refused with their indices")
  func ambiguousLabel() throws {
    let model = try model([0, 0, 0, 0, 0], [1, 5])
    let error = #expect(throws: CoreError.self) {
      try elements(.label("crane"), model, labels: imageNet)
    }
    #expect(
      error?.description == "label 'crane' names several classes (1, 3); give the index")
  }

  @Test("an unknown label is refused with the nearest, and labels must be known at all")
  func unknownLabel() throws {
    let model = try model([0, 0], [1, 2])
    let error = #expect(throws: CoreError.self) {
      try elements(.label("dgo"), model, labels: ["cat", "dog"])
    }
    #expect(error?.description == "unknown label 'dgo'; did you mean 'dog'?")
    #expect(throws: CoreError.noLabels(label: "dog")) { try elements(.label("dog"), model) }
  }

  // MARK: - Positions and sums

  @Test("coordinates become a row-major index within a sample")
  func coordinates() throws {
    let model = try model(Array(repeating: 0, count: 12), [1, 2, 3, 2])
    #expect(try elements(Target(.coordinates([1, 2, 0])), model) == [10])
    for wrong in [[1, 3, 0], [-1, 0, 0], [0, 0], [0, 0, 0, 0]] {
      #expect(
        throws: CoreError.shapeMismatch(
          what: "target coordinates within the output", expected: [2, 3, 2], found: wrong)
      ) { try elements(Target(.coordinates(wrong)), model) }
    }
  }

  @Test("a weighted sum is no single element")
  func weighted() throws {
    let model = try model([1, 2, 4], [1, 3])
    let resolved = try model.resolve(
      Target(.weighted([(2, 1), (0, -1)])), at: inputs, context: Context())
    #expect(resolved.elements == [])
    #expect(try resolved.objective.values(of: model.logits) == [3])
  }

  @Test("indices are passed on, one for all samples or one for each")
  func indices() throws {
    let model = try model([1, 2, 3, 4], [2, 2])
    #expect(try elements(.index(1), model) == [1])
    let perSample = try model.resolve(Target(.perSample([1, 0])), at: inputs, context: Context())
    #expect(try perSample.objective.values(of: model.logits) == [2, 3])
  }

  // MARK: - Output and score

  @Test("the logit is read before a softmax, and the result says that it was left out")
  func scores() throws {
    var model = try model([1, 2], [1, 2])
    model.probabilities = try Tensor([0.75, 0.25] as [Float], shape: [1, 2])
    let logit = try model.resolve(.top, at: inputs, context: Context())
    #expect(logit.site == .layer("logits") && logit.skippedSoftmax && logit.elements == [1])
    let probability = try model.resolve(
      Target(.top, score: .probability), at: inputs, context: Context())
    #expect(probability.site == .output("y") && !probability.skippedSoftmax)
    #expect(probability.elements == [0])
  }

  @Test("without a softmax the output is the logit, and there is no probability")
  func noProbability() throws {
    let model = try model([1, 2], [1, 2])
    let logit = try model.resolve(.top, at: inputs, context: Context())
    #expect(logit.site == .output("y") && !logit.skippedSoftmax)
    #expect(throws: CoreError.noProbability(output: "y")) {
      try elements(Target(.top, score: .probability), model)
    }
  }

  @Test("an output is the first, or the one named; another name is refused")
  func outputs() throws {
    var model = try model([1, 2], [1, 2])
    model.outputs = ["logits", "boxes"]
    #expect(try model.explainedSite(of: .top).site == .output("logits"))
    #expect(try model.explainedSite(of: Target(.top, output: "boxes")).site == .output("boxes"))
    #expect(
      throws: CoreError.unknownName(
        what: "output", name: "box", suggestion: "boxes", known: ["logits", "boxes"])
    ) { try model.explainedSite(of: Target(.top, output: "box")) }
    model.outputs = []
    #expect(throws: CoreError.self) { try model.explainedSite(of: .top) }
  }
}
