public import VitrineTensor

/// Something that maps tensors to tensors and whose insides can be looked at.
///
/// Laws: calling never changes the model; equal inputs give bit-equal outputs, for any number of
/// threads and whether a sample comes alone or in a batch; every call is thread-safe.
///
/// The value at an output or layer has the batch axis first, `[batch, channel, height, width]` or
/// `[batch, feature]`. A model that takes one sample without a batch axis gives its values one, of
/// extent 1: axis 0 counts samples wherever a ``Target`` or an ``Objective`` is read.
public protocol Model: Sendable {
  /// What it takes and gives; the first output is the one explained unless another is named.
  var signature: Signature { get }

  /// Every addressable value, in execution order.
  var layers: [Layer] { get }

  /// Returns the values at `sites`, one tensor each, computing no more than they need.
  ///
  /// - Parameters:
  ///   - inputs: One tensor per input, batch axis first where the port has one.
  ///   - sites: Inputs, outputs or layers, in any order.
  /// - Returns: The values in the order of `sites`, in the real type the model computes with.
  /// - Throws: When an input does not fit or a site is unknown.
  /// - Complexity: One forward pass, stopped at the deepest site.
  func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor]

  /// Returns the site that holds a score of an output: for ``Score/logit`` the value before a final
  /// softmax, for ``Score/probability`` the value after it.
  ///
  /// The default knows of no softmax and returns the output itself for ``Score/logit`` and `nil`,
  /// meaning "there is none", for ``Score/probability``.
  func site(of score: Score, output: String) -> Site?

  /// Returns the name of the layer that turns an input of integers into real numbers, such as the embedding
  /// of token indices; `nil` if there is none.
  ///
  /// The default knows of none.
  func embedding(of input: String) -> String?

  /// Whether one call takes any number of samples.
  ///
  /// The default says so if every input has a batch axis in front whose extent is free. A model that
  /// fixes the extent but copes with others should say `true`.
  var takesBatches: Bool { get }

  /// Returns an objective's value for each sample at many variants of the inputs.
  ///
  /// The default evaluates as many variants in one call as ``Context/memoryLimit`` lets and the model
  /// takes: see ``takesBatches``. A model may compute less, as long as the numbers stay the same.
  ///
  /// - Parameters:
  ///   - objective: For the batch `inputs`.
  ///   - inputs: One tensor per input.
  ///   - count: Number of variants.
  ///   - context: Told the number of variants done; asked between calls whether to stop.
  ///   - variant: Returns variant `index` of some of the samples, given as their range in the batch and
  ///     their inputs: tensors of the same shapes with other elements.
  /// - Returns: For each sample one number for each variant, in units of the objective.
  /// - Throws: What the model and `variant` throw, ``CoreError/cancelled``.
  /// - Complexity: One forward pass for each sample and variant; memory that does not depend on `count`.
  func scores(
    of objective: Objective, at inputs: Inputs, variants count: Int, context: Context,
    variant: (_ index: Int, _ samples: Range<Int>, _ inputs: Inputs) throws -> Inputs
  ) throws -> [[Double]]

  /// Returns an objective's value for each sample with one box after the other of an input covered.
  ///
  /// The default makes whole variants of the inputs for ``scores(of:at:variants:context:variant:)``. A model
  /// may compute only what a box changes, as long as the numbers stay the same but for rounding.
  ///
  /// - Parameters:
  ///   - objective: For the batch `inputs`.
  ///   - inputs: One tensor per input.
  ///   - input: The name of the input that is covered.
  ///   - cover: What a covered element is, shape and type of the input's tensor.
  ///   - boxes: Where it is covered, one box at a time.
  ///   - context: Told the number of boxes done; asked between calls whether to stop.
  /// - Returns: For each sample one number for each box, in units of the objective.
  /// - Throws: What the model throws; ``CoreError/shapeMismatch(what:expected:found:)`` for a cover or box
  ///   that does not fit; ``CoreError/cancelled``.
  /// - Complexity: At most one forward pass for each sample and box; memory that does not depend on their
  ///   number.
  func scores(
    of objective: Objective, at inputs: Inputs, covering input: String, with cover: Tensor,
    in boxes: [Box], context: Context
  ) throws -> [[Double]]
}

extension Model {
  public func site(of score: Score, output: String) -> Site? {
    score == .logit ? .output(output) : nil
  }

  public func embedding(of input: String) -> String? { nil }

  /// Returns the layer with this name or, if there is none, the one with this alias.
  public func layer(named name: String) -> Layer? {
    layers.first { $0.name == name } ?? layers.first { $0.aliases.contains(name) }
  }

  /// Returns the site that someone means by a name: a layer's name, else that of an output or input,
  /// else a layer's alias.
  ///
  /// - Returns: For a name the model does not have, a layer site for which the model throws.
  public func site(named name: String) -> Site {
    if layers.contains(where: { $0.name == name }) { return .layer(name) }
    if signature.outputs.contains(where: { $0.name == name }) { return .output(name) }
    if signature.inputs.contains(where: { $0.name == name }) { return .input(name) }
    return .layer(name)
  }
}

/// A model whose values can be differentiated with respect to one another.
public protocol Differentiable: Model {
  /// Returns the objective's value for each sample and its gradient with respect to each site.
  ///
  /// A gradient has the shape of the site's value. Samples of a batch are independent: row `n` of a
  /// gradient is that of sample `n`'s objective.
  ///
  /// - Throws: When an input does not fit, a site is unknown, the objective does not depend on a site
  ///   through differentiable operations (integer inputs), or a rule cannot be applied.
  /// - Complexity: One forward pass, stopped at the deepest site, and one backward pass, stopped at
  ///   the shallowest.
  func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients

  /// Returns what ``gradients(of:withRespectTo:at:rules:)`` does, and the values at other sites from the
  /// same forward pass where the model can share it.
  ///
  /// The default calls ``Model/evaluate(_:observing:)`` for them.
  ///
  /// - Parameters:
  ///   - objective: What is differentiated.
  ///   - sites: What to differentiate with respect to.
  ///   - inputs: One tensor per input.
  ///   - rules: How the backward pass treats each layer.
  ///   - observed: Inputs, outputs or layers whose values become ``Gradients/observed``.
  /// - Complexity: One forward and one backward pass, at best.
  func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules,
    observing observed: [Site]
  ) throws -> Gradients

  /// Returns the derivatives of several elements of one site, from one forward pass where the model
  /// can share it.
  ///
  /// The default calls ``gradients(of:withRespectTo:at:rules:)`` once per element.
  ///
  /// - Parameters:
  ///   - output: The site whose elements are differentiated.
  ///   - elements: Flat indices into one sample of `output`; `nil` for all.
  ///   - sites: What to differentiate with respect to.
  ///   - inputs: One tensor per input.
  ///   - rules: How the backward pass treats each layer.
  ///   - context: Told the number of elements done; asked between elements whether to stop.
  /// - Returns: For each site a tensor `[batch, elements, site shape without batch]`.
  /// - Throws: As ``gradients(of:withRespectTo:at:rules:)``, and ``CoreError/cancelled``.
  /// - Complexity: One forward pass and one backward pass for each element, at best; result of
  ///   `elements × site` numbers for each sample.
  func jacobian(
    of output: Site, elements: [Int]?, withRespectTo sites: [Site], at inputs: Inputs,
    rules: BackwardRules, context: Context
  ) throws -> Jacobian

  /// Returns the weighted sum of gradients at points of the straight path between two inputs:
  /// G = Σ_k w_k ∂F/∂y (x' + α_k (x − x')).
  ///
  /// The default takes as many points into one call as ``Context/memoryLimit`` lets and the model takes:
  /// see ``Model/takesBatches``. However they are cut into calls, a sample's gradients are added in the
  /// order of `points` in double precision, so that the result does not depend on it.
  ///
  /// - Parameters:
  ///   - objective: F, for the batch `inputs`.
  ///   - baselines: x' for the inputs that move, in the shapes of `inputs`; the points have the types of
  ///     these tensors. Inputs it does not name stay where they are.
  ///   - inputs: x: one tensor per input.
  ///   - points: The fractions α and weights w, the same for all samples.
  ///   - sites: What to differentiate with respect to: y.
  ///   - context: Told the number of gradients done; asked between calls whether to stop.
  /// - Returns: For each site a `float64` tensor of its shape.
  /// - Throws: As ``gradients(of:withRespectTo:at:rules:)``; ``CoreError/shapeMismatch(what:expected:found:)``
  ///   for a baseline that does not fit; ``CoreError/cancelled``.
  /// - Complexity: One forward and one backward pass for each sample and point; memory that does not
  ///   depend on the number of points.
  func pathGradients(
    of objective: Objective, from baselines: Inputs, to inputs: Inputs, at points: [PathPoint],
    withRespectTo sites: [Site], context: Context
  ) throws -> [Tensor]

  /// Returns why ``directionalDerivatives(of:along:at:context:)`` cannot be had of a site, in words that
  /// name the operator or layer; `nil` if it can.
  ///
  /// The default knows of no forward mode.
  func forwardModeObstacle(to site: Site) -> String?

  /// Returns the derivatives of a site along tangents of the inputs: J t, from values carried forwards
  /// together with their derivatives.
  ///
  /// The default throws.
  ///
  /// - Parameters:
  ///   - site: What is differentiated.
  ///   - tangents: Each with one tensor for every input that moves, in its shape; the others stay.
  ///   - inputs: One tensor per input.
  ///   - context: Told the number of tangents done; asked between tangents whether to stop.
  /// - Returns: For each tangent a tensor of the site's shape.
  /// - Throws: ``CoreError/notApplicable(_:)`` with ``forwardModeObstacle(to:)``, before anything runs;
  ///   when an input does not fit or a site is unknown; ``CoreError/cancelled``.
  /// - Complexity: One forward pass, and about another one or two for each tangent.
  func directionalDerivatives(
    of site: Site, along tangents: [Inputs], at inputs: Inputs, context: Context
  ) throws -> [Tensor]

  /// Returns the weighted sum of gradients at variants of the inputs: G = Σ_k w_k ∂F/∂y (x_k).
  ///
  /// The default takes as many variants into one call as ``Context/memoryLimit`` lets and the model takes:
  /// see ``Model/takesBatches``. However they are cut into calls, a sample's gradients are added in the
  /// order of `weights` in double precision, so that the result does not depend on it.
  ///
  /// - Parameters:
  ///   - objective: F, for the batch `inputs`.
  ///   - sites: What to differentiate with respect to: y.
  ///   - inputs: One tensor per input.
  ///   - weights: w, the same for all samples; as many as there are variants.
  ///   - context: Told the number of gradients done; asked between calls whether to stop.
  ///   - variant: Returns variant `index` of some of the samples, given as their range in the batch and
  ///     their inputs: tensors of the same shapes with other elements. Called for one sample after the
  ///     other, or for all at once, each time with `index` ascending from 0.
  /// - Returns: For each site a `float64` tensor of its shape.
  /// - Throws: As ``gradients(of:withRespectTo:at:rules:)``; what `variant` throws;
  ///   ``CoreError/cancelled``.
  /// - Complexity: One forward and one backward pass for each sample and variant; memory that does not
  ///   depend on the number of variants.
  func averageGradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, weights: [Double],
    context: Context,
    variant: (_ index: Int, _ samples: Range<Int>, _ inputs: Inputs) throws -> Inputs
  ) throws -> [Tensor]

  /// Returns where steps of gradient ascent lead.
  ///
  /// Positions are kept in double precision, and rounded to the type of the model where it is asked. The
  /// ascent ends early before a step at which the gradient of a sample is zero.
  ///
  /// - Parameters:
  ///   - objective: What is ascended, for the batch `inputs`.
  ///   - positions: Where the inputs that move start.
  ///   - inputs: One tensor per input; of those that move only shape and type matter, the type being that
  ///     of the first point.
  ///   - step: How far to go along a gradient.
  ///   - count: Steps to take.
  ///   - context: Told the number of steps done; asked between steps whether to stop.
  /// - Returns: Where the inputs are, and what the objective was on the way.
  /// - Throws: As ``gradients(of:withRespectTo:at:rules:)``; ``CoreError/notFinite(_:)`` for the objective;
  ///   ``CoreError/shapeMismatch(what:expected:found:)`` for a position that does not fit;
  ///   ``CoreError/cancelled``.
  /// - Complexity: One forward and one backward pass for each step, stopped at the objective's site.
  func ascend(
    _ objective: Objective, from positions: Inputs, at inputs: Inputs, by step: AscentStep,
    count: Int, context: Context
  ) throws -> AscentResult
}

/// The result of ``Differentiable/gradients(of:withRespectTo:at:rules:)``.
public struct Gradients: Sendable {
  /// The objective's value for each sample, in its own units.
  public let values: [Double]
  /// One per requested site, in units of the objective per unit of the site.
  public let tensors: [Tensor]
  /// Where backward rules other than the plain gradient were applied, in execution order.
  public let applications: [RuleApplication]
  /// The values at sites to be observed, one each; none unless they were asked for.
  public let observed: [Tensor]

  /// Creates the result of a model.
  public init(
    values: [Double], tensors: [Tensor], applications: [RuleApplication] = [],
    observed: [Tensor] = []
  ) {
    self.values = values
    self.tensors = tensors
    self.applications = applications
    self.observed = observed
  }
}

/// A record that a backward rule was used at a layer.
public struct RuleApplication: Sendable, Hashable {
  /// What was applied.
  public let rule: BackwardRule
  /// Where: the name of the layer.
  public let layer: String

  /// Creates a record.
  public init(rule: BackwardRule, layer: String) {
    self.rule = rule
    self.layer = layer
  }
}

/// The result of ``Differentiable/jacobian(of:elements:withRespectTo:at:rules:context:)``.
public struct Jacobian: Sendable {
  /// The differentiated values, shape `[batch, elements]`.
  public let values: Tensor
  /// One per requested site, shape `[batch, elements, site shape without batch]`.
  public let tensors: [Tensor]
  /// Where backward rules other than the plain gradient were applied, in execution order.
  public let applications: [RuleApplication]

  /// Creates the result of a model.
  public init(values: Tensor, tensors: [Tensor], applications: [RuleApplication] = []) {
    self.values = values
    self.tensors = tensors
    self.applications = applications
  }
}

extension Differentiable {
  public func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules,
    observing observed: [Site]
  ) throws -> Gradients {
    let result = try gradients(of: objective, withRespectTo: sites, at: inputs, rules: rules)
    return Gradients(
      values: result.values, tensors: result.tensors, applications: result.applications,
      observed: try evaluate(inputs, observing: observed))
  }

  public func jacobian(
    of output: Site, elements: [Int]?, withRespectTo sites: [Site], at inputs: Inputs,
    rules: BackwardRules, context: Context
  ) throws -> Jacobian {
    let value = try evaluate(inputs, observing: [output])[0]
    let samples = value.rank > 0 ? value.shape[0] : 1
    let perSample = samples > 0 ? value.count / samples : 0
    let elements = elements ?? Array(0..<perSample)
    var rows: [Gradients] = []
    for element in elements {
      try context.checkCancellation()
      rows.append(
        try gradients(
          of: Objective(output, .elements([element])), withRespectTo: sites, at: inputs,
          rules: rules))
      context.progress(rows.count, of: elements.count, "outputs")
    }
    let values = try Tensor(
      (0..<samples).flatMap { n in rows.map { $0.values[n] } }, shape: [samples, elements.count])
    let tensors = try sites.indices.map { site in
      try stackRows(rows.map { $0.tensors[site] }, samples: samples, sites[site])
    }
    return Jacobian(values: values, tensors: tensors, applications: rows.first?.applications ?? [])
  }
}

/// Turns K tensors `[N, …]` into one `[N, K, …]`.
private func stackRows(_ rows: [Tensor], samples: Int, _ site: Site) throws -> Tensor {
  guard let first = rows.first else { return Tensor(zeros: try Shape([samples, 0])) }
  // The rows come from a model we do not know.
  for row in rows where row.shape != first.shape || row.dataType != first.dataType {
    throw CoreError.shapeMismatch(
      what: "gradient of \(site)", expected: first.shape.dimensions, found: row.shape.dimensions)
  }
  guard first.rank > 0, first.shape[0] == samples else {
    throw CoreError.shapeMismatch(
      what: "gradient of \(site) for \(samples) samples",
      expected: [samples] + first.shape.dimensions.dropFirst(), found: first.shape.dimensions)
  }
  return try Tensor.stack(rows, axis: 1)
}
