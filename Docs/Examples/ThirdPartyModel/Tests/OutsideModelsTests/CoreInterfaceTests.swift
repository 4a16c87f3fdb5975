import OutsideModels
import Testing
import VitrineCore
import VitrineTensor

/// The core as a stranger sees it: what the examples do not need, somebody else will.
@Suite("The core, from outside")
struct CoreInterfaceTests {
  private let model = StripeDetector(height: 4, width: 4)

  private func inputs(_ samples: Int = 1) throws -> Inputs {
    var generator = RandomGenerator(seed: 2)
    return try Inputs(
      generator.uniformTensor(Shape([samples, 1, 4, 4]), .float64), for: model)
  }

  // MARK: - Options

  @Test("every kind of option is decoded, described and refused by its declaration")
  func options() throws {
    let kinds: [(Option.Kind, String, String)] = [
      (.flag, "yes", "true or false"), (.integer(1...9), "3", "an integer in 1...9"),
      (.number(0...1), "0.5", "a number in 0.0...1.0"),
      (.choice(["a", "b"]), "b", "one of a, b"),
      (.integers(1...Int.max), "4,8", "integers separated by commas, at least 1"),
      (.layers, "edges,means", "names of layers or tensors, separated by commas"),
      (.layer, "edges", "the name of a layer or tensor"),
      (
        .baseline, "0.1,0.2",
        "a number, numbers for each channel, mean, blur, black, white, or a file"
      ),
    ]
    let method = Method(
      identifier: "probe", summary: "A probe.", paper: "none", requirement: .evaluation,
      options: kinds.enumerated().map { index, kind in
        Option("o\(index)", kind.0, default: nil, help: "An option.", since: "1.2.0")
      }, usesTarget: false, canStartFromNoise: false)
    for (option, kind) in zip(method.options, kinds) {
      #expect(option.expectation == kind.2)
      #expect(option.since == "1.2.0" && option.defaultText == nil && option.kind == kind.0)
    }
    let given = kinds.enumerated().map { (name: "o\($0.offset)", value: $0.element.1) }
    let options = try Options(given, for: method)
    #expect(options.texts.map(\.value) == kinds.map(\.1))
    #expect(options.flag("o0") && options.optionalInteger("o1") == 3)
    #expect(options.optionalNumber("o2") == 0.5 && options.choice("o3") == "b")
    #expect(options.integers("o4") == [4, 8] && options.layers("o5") == ["edges", "means"])
    #expect(options.layer("o6") == "edges")
    #expect(throws: CoreError.self) { try Options([("o1", "10")], for: method) }
  }

  @Test("a catalog finds the type by name, with what it requires and claims")
  func catalog() throws {
    let catalog = try MethodCatalog([PlainGradient.self])
    let type = try catalog.explainerType(named: "plain-gradient")
    let requirement: Method.Requirement = .gradients
    let claims: Set<Claim> = [.dummy, .symmetry]
    #expect(type.method.requirement == requirement && type.method.claims == claims)
    #expect(!type.method.claims.contains(.sensitivity))
    #expect(!type.method.canStartFromNoise)
  }

  @Test("a method whose code is elsewhere is registered with its manifest and a way to make it")
  func registration() throws {
    var catalog = MethodCatalog()
    try catalog.register(PlainGradient.method) { options in
      let here: any Explaining = PlainGradient(options: options)
      return here
    }
    let entry: MethodCatalog.Entry = try catalog.entry(named: "plain-gradient")
    #expect(entry.method == PlainGradient.method && catalog.entries.count == 1)
    let explainer = try entry.make(Options([], for: entry.method))
    let explanation = try explainer.explain(
      model, at: inputs(), target: .index(0), context: Context())
    #expect(explanation.method == "plain-gradient")
    #expect(catalog.explainers.isEmpty)
    #expect(throws: CoreError.self) { try catalog.explainerType(named: "plain-gradient") }
  }

  @Test("a catalog holds what a method is and how it is made, also where its type is not at hand")
  func entries() throws {
    var catalog = MethodCatalog()
    try catalog.register(PlainGradient.self)
    let entry: MethodCatalog.Entry = try catalog.entry(named: "plain-gradient")
    #expect(
      catalog.entries.map(\.method) == [PlainGradient.method] && entry.method == catalog.methods[0])
    let explainer: any Explaining = try entry.make(Options([], for: entry.method))
    let result = try explainer.explain(model, at: inputs(), target: .top, context: Context())
    #expect(result.method == "plain-gradient")
    #expect(model.embedding(of: "picture") == nil)
  }

  // MARK: - Targets and objectives

  @Test("targets are resolved to a site and an objective")
  func targets() throws {
    let context = Context(labels: ["vertical", "horizontal"])
    for (target, element) in [
      (Target(.label("Horizontal")), 1), (Target(.coordinates([1])), 1),
      (Target.label("vertical"), 0),
    ] {
      let resolved: ResolvedTarget = try model.resolve(target, at: inputs(), context: context)
      #expect(resolved.elements == [element] && !resolved.skippedSoftmax)
      #expect(resolved.score == Score.logit && resolved.site == .output("stripes"))
    }
    let each = try model.resolve(Target(.perSample([1, 0])), at: inputs(2), context: context)
    guard case .elements([1, 0]) = each.objective.form else {
      Issue.record("expected one element for each sample")
      return
    }
    let second = try each.objective.selecting([1], of: 2)
    guard case .elements([0]) = second.form else {
      Issue.record("expected the element of the second sample")
      return
    }
    let choice: Target.Choice = Target.top.choice
    if case .top = choice {} else { Issue.record("expected the top") }
    #expect(try model.explainedSite(of: .top).skippedSoftmax == false)
    let none = #expect(throws: CoreError.self) {
      try model.resolve(Target(.top, score: .probability), at: inputs(), context: context)
    }
    #expect(none == .noProbability(output: "stripes"))
    #expect(throws: CoreError.noLabels(label: "x")) {
      try model.resolve(.label("x"), at: inputs(), context: Context())
    }
  }

  @Test("an objective is a linear function of a site, and knows what fits it")
  func objectives() throws {
    let value = try Tensor([1.0, 2, 3, 4], shape: [1, 2, 2, 1])
    let forms: [(Objective.Form, Double)] = [
      (.channelMean(1), 3.5), (.sum, 10), (.mean, 2.5), (.weighted([(element: 0, weight: -2)]), -2),
      (.cotangent(value), 30), (.elements([3]), 4),
    ]
    for (form, expected) in forms {
      #expect(try Objective(.layer("edges"), form).values(of: value) == [expected])
    }
    #expect(throws: CoreError.elementOutOfRange(element: 4, count: 4, site: "edges")) {
      try Objective(.layer("edges"), .elements([4])).values(of: value)
    }
    #expect(throws: CoreError.channelOutOfRange(channel: 2, count: 2, site: "edges")) {
      try Objective(.layer("edges"), .channelMean(2)).values(of: value)
    }
    #expect(throws: CoreError.targetCount(expected: 1, found: 2)) {
      try Objective(.layer("edges"), .elements([0, 1])).values(of: value)
    }
  }

  // MARK: - What the protocols add to a model

  @Test("a Jacobian has a row of derivatives for each output, from gradients alone")
  func jacobian() throws {
    let jacobian: Jacobian = try model.jacobian(
      of: .output("stripes"), elements: nil, withRespectTo: [.input("picture")], at: inputs(2),
      rules: .gradient, context: Context())
    #expect(jacobian.values.shape.dimensions == [2, 2])
    #expect(jacobian.tensors[0].shape.dimensions == [2, 2, 1, 4, 4])
    // Neither output changes when the whole picture gets brighter.
    for sum in try jacobian.tensors[0].sum(axes: [2, 3, 4]).elements(of: Double.self) {
      #expect(abs(sum) < 1e-15)
    }
  }

  @Test("gradients along a path add up to the difference of its ends")
  func path() throws {
    let x = try inputs()
    let picture = try #require(x["picture"])
    let points = (0..<4).map { PathPoint(fraction: (Double($0) + 0.5) / 4, weight: 0.25) }
    #expect(points.reduce(0) { $0 + $1.fraction * $1.weight } == 0.5)
    let objective = Objective(.output("stripes"), .elements([0]))
    let start = try Inputs(picture.scaled(by: 0), for: model)
    let sum = try model.pathGradients(
      of: objective, from: start, to: x, at: points,
      withRespectTo: [.input("picture")], context: Context(memoryLimit: 1 << 20)
    )[0].multiplied(by: picture).sum()
    let score = try objective.values(of: model.evaluate(x, observing: [.output("stripes")])[0])[0]
    #expect(abs(sum - score) < 1e-14)
    #expect(model.takesBatches && model.layer(named: "edges")?.isSpatial == true)
  }

  @Test("an ascent takes steps of one length along gradients")
  func ascent() throws {
    let x = try inputs()
    let picture = try #require(x["picture"])
    func ascend(_ count: Int) throws -> AscentResult {
      try model.ascend(
        Objective(.output("stripes"), .elements([0])), from: x, at: x,
        by: AscentStep(length: 0.5, decay: 0), count: count,
        context: Context().part(after: 0, of: count))
    }
    let result = try ascend(1)
    let moves = try result.positions[0].subtracting(picture).elements(of: Double.self)
    let square = moves.reduce(0) { $0 + $1 * $1 } / Double(moves.count)
    #expect(abs(square.squareRoot() - 0.5) < 1e-6)
    let values = try ascend(3).values.flatMap(\.self)
    #expect(values.count == 3 && values == values.sorted() && values[0] < values[2])
    // What a model gives that ascends by itself.
    let own = AscentResult(
      positions: result.positions, values: result.values, dataType: result.dataType)
    #expect(own.positions == result.positions && own.dataType == .float64)
  }

  @Test("moments over variants are those of their gradients")
  func moments() throws {
    let x = try inputs()
    let picture = try #require(x["picture"])
    let moments: GradientMoments = try model.gradientMoments(
      of: Objective(.layer("edges"), .elements([0])), withRespectTo: [.input("picture")], at: x,
      variants: 2, context: Context()
    ) { index, _, original in
      original.replacing("picture", with: try picture.scaled(by: index == 0 ? 1 : -1))
    }
    let mean = try moments.means[0].elements(of: Double.self)
    // The first edge is x₁ − x₀ whatever the picture: its derivatives do not vary.
    #expect(mean.prefix(3) == [-1, 1, 0])
    #expect(try moments.variances[0].absolute().max() == 0)
  }

  @Test("gradients of variants are added with their weights, and values observed on the way")
  func variants() throws {
    let x = try inputs()
    let picture = try #require(x["picture"])
    let objective = Objective(.output("stripes"), .elements([0]))
    let sum = try model.averageGradients(
      of: objective, withRespectTo: [.input("picture")], at: x, weights: [2, -1],
      context: Context()
    ) { index, _, original in
      original.replacing("picture", with: try picture.scaled(by: index == 0 ? 1 : 3))
    }[0]
    let single = try model.gradients(
      of: objective, withRespectTo: [.input("picture")], at: x, rules: .gradient,
      observing: [.layer("edges")])
    // The derivative does not change when the picture gets three times brighter: 2 g − g = g.
    for (a, b) in zip(
      try sum.elements(of: Double.self), try single.tensors[0].elements(of: Double.self))
    {
      #expect(abs(a - b) < 1e-15)
    }
    #expect(try single.observed == model.evaluate(x, observing: [.layer("edges")]))
  }

  @Test("a score with a box covered is that of the covered input")
  func boxes() throws {
    let x = try inputs()
    let picture = try #require(x["picture"])
    let objective = Objective(.output("stripes"), .elements([1]))
    let boxes = [Box([0..<1, 0..<1, 1..<3, 0..<4]), Box([0..<1, 0..<1, 0..<4, 0..<4])]
    #expect(boxes[0].ranges[2] == 1..<3)
    let scores = try model.scores(
      of: objective, at: x, covering: "picture", with: picture.scaled(by: 0), in: boxes,
      context: Context())
    // Where all is black there are no edges.
    #expect(scores[0][1] == 0)
    var covered = picture
    try covered.withMutableElements(of: Double.self) { for i in 4..<12 { $0[i] = 0 } }
    let expected = try objective.values(
      of: model.evaluate(inputs().replacing("picture", with: covered), observing: [objective.site])[
        0])
    #expect(abs(scores[0][0] - expected[0]) < 1e-15)
  }

  @Test("a model without a forward mode says so")
  func forwardMode() throws {
    let x = try inputs()
    let obstacle = try #require(model.forwardModeObstacle(to: .output("stripes")))
    let error = #expect(throws: CoreError.self) {
      try model.directionalDerivatives(
        of: .output("stripes"), along: [x], at: x, context: Context())
    }
    #expect(error?.description == obstacle + ": differentiate in reverse")
  }

  @Test("channels are combined, and signs chosen")
  func channels() throws {
    let g = try Tensor([3.0, -1, -4, 1], shape: [1, 2, 2])
    func reduced(
      _ reduction: ChannelReduction, signed: Bool = true, sign: ChannelReduction.Sign = .all
    ) throws -> [Double] {
      try reduction.reduced(g, channelAxis: 1, signed: signed, sign: sign).elements(of: Double.self)
    }
    #expect(try reduced(.none) == [3, -1, -4, 1])
    #expect(try reduced(.max) == [4, 1])
    #expect(try reduced(.sum) == [-1, 0] && reduced(.sum, signed: false) == [7, 2])
    #expect(try reduced(.l2) == [5, 2.0.squareRoot()])
    #expect(try reduced(.sumThenAbs) == [1, 0])
    #expect(try reduced(.max, sign: .positive) == [3, 1])
    #expect(try reduced(.max, sign: .negative) == [4, 1])
    #expect(ChannelReduction.sum.keepsSign && !ChannelReduction.max.keepsSign)
  }

  @Test("rules are assigned to layers, the last assignment first, and reported")
  func rules() throws {
    let all = BackwardRules([
      BackwardRules.Assignment(.kind("Relu"), .guided),
      BackwardRules.Assignment(.layer("rectified"), .deconvnet),
    ])
    let selector: BackwardRules.Selector = all.assignments[1].selector
    #expect(selector == .layer("rectified"))
    #expect(all.rule(forLayer: "rectified", kind: "Relu") == .deconvnet)
    let result = try model.gradients(
      of: Objective(.output("stripes"), .sum), withRespectTo: [.input("picture")], at: inputs(),
      rules: all)
    let report = model.ruleReport(.deconvnet, result.applications)
    #expect(report.diagnostics.map(\.name) == ["rule-applications", "rule-layers"])
    #expect(report.warnings == [])
  }

  // MARK: - Running

  @Test("real inputs become attributions, which must be finite")
  func attributions() throws {
    let real: RealInputs = try model.realInputs()
    let picture = try #require(try inputs()["picture"])
    let attribution: Attribution = try real.attributions(of: [picture], range: .nonnegative)[0]
    #expect(attribution.name == "attribution" && attribution.range == Attribution.Range.nonnegative)
    let broken = try picture.scaled(by: .infinity)
    #expect(throws: CoreError.notFinite("it")) { try broken.requireFinite("it") }
    #expect(throws: CoreError.self) { try real.attributions(of: [broken], range: .signed) }
  }

  @Test("a context stops a run, and resolves the names of baselines")
  func contexts() throws {
    let stop = Cancellation()
    stop.cancel()
    #expect(stop.isCancelled)
    let cancelled = #expect(throws: CoreError.self) {
      try PlainGradient().explain(
        model, at: inputs(), target: .top, context: Context(cancellation: stop))
    }
    #expect(cancelled == CoreError.cancelled)
    let context = Context(resolveBaseline: { name, port in
      Tensor(repeating: name == "white" ? 1 as Float : 0, shape: try Shape([1, 1, 4, 4]))
    })
    #expect(context.resolveBaseline != nil && context.labels == nil && context.memoryLimit > 0)
    let picture = try #require(try inputs()["picture"])
    let port = model.signature.inputs[0]
    let white = try Baseline.named("white").tensor(for: picture, at: port, context: context)
    #expect(try white.elements(of: Double.self).allSatisfy { $0 == 1 })
    // A part of a task that counts in other units has the same names and limits.
    #expect(context.silent.resolveBaseline != nil && context.silent.seed == context.seed)
    let flat = try Baseline.blur(0.1).tensor(for: white, at: port, context: context)
    #expect(try flat.elements(of: Double.self).allSatisfy { abs($0 - 1) < 1e-15 })
  }

  @Test("an explanation says what was explained, how, and by whom it could not be")
  func explanation() throws {
    let result = try PlainGradient().explain(model, at: inputs(), target: .top, context: Context())
    #expect(!result.explained.skippedSoftmax && result.explained.score == .logit)
    #expect(result.diagnostics.first?.value == Explanation.Diagnostic.text("one gradient"))
    let service = ScoringService(columns: 2) { $0[0] + $0[1] }
    #expect(
      throws: CoreError.missingCapability(
        method: "plain-gradient", needs: "gradients (the protocol Differentiable)")
    ) {
      try PlainGradient().explain(
        service, at: Inputs(Tensor([1.0, 2], shape: [1, 2]), for: service), target: .top,
        context: Context())
    }
  }
}

/// The smallest explainer there can be: the gradient.
private struct PlainGradient: Explainer {
  static let method = Method(
    identifier: "plain-gradient", summary: "The gradient.", paper: "none", requirement: .gradients,
    options: [], claims: [.dummy, .symmetry])

  init(options: Options) {}

  func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let model = try differentiable(model)
    try context.checkCancellation()
    let target = try model.resolve(target, at: inputs, context: context)
    let real = try model.realInputs()
    let result = try model.gradients(
      of: target.objective, withRespectTo: real.sites, at: inputs, rules: .gradient)
    return Explanation(
      method: Self.method.identifier,
      attributions: try real.attributions(of: result.tensors, range: .signed),
      explained: Explained(target, values: result.values),
      diagnostics: [("gradient", .text("one gradient"))])
  }
}
