public import VitrineCore
public import VitrineTensor

/// Tells vertical from horizontal stripes in a gray picture: a formula, with its derivative written by hand.
///
///     h = x[row, column + 1] − x[row, column]        v = x[row + 1, column] − x[row, column]
///     edges      [4, height, width]   h, −h, v, −v; 0 where there is no neighbour
///     rectified  [4, height, width]   max(edges, 0)
///     stripes    [2]                  m₀ + m₁ − (m₂ + m₃) / 2 and m₂ + m₃ − (m₀ + m₁) / 2, of the means m
///                                     of the rectified maps
///
/// Numbers are computed in double precision and rounded once, to the type of the input. The rectifier knows
/// the backward rules `guided` and `deconvnet`.
public struct StripeDetector: Differentiable {
  /// Of the pictures, in pixels.
  public let height: Int
  /// Of the pictures, in pixels.
  public let width: Int

  /// Creates a detector for pictures of at least two by two pixels.
  public init(height: Int, width: Int) {
    precondition(height > 1 && width > 1, "edges need neighbours")
    self.height = height
    self.width = width
  }

  public var signature: Signature {
    Signature(
      inputs: [
        Port(
          name: "picture", dataType: .float32, dimensions: [nil, 1, height, width],
          axes: [.batch, .channel, .height, .width])
      ],
      outputs: [
        Port(name: "stripes", dataType: .float32, dimensions: [nil, 2], axes: [.batch, .feature])
      ])
  }

  public var layers: [Layer] {
    [
      Layer(name: "edges", kind: "Difference", dimensions: [1, 4, height, width]),
      Layer(name: "rectified", kind: "Relu", dimensions: [1, 4, height, width]),
      Layer(name: "means", kind: "Mean", aliases: ["stripes"], dimensions: [1, 2]),
    ]
  }

  public func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    let stages = try sites.map(stage)
    let pictures = try Pictures(inputs, self)
    let values = pictures.samples.map { self.values(of: $0, through: stages.max() ?? .picture) }
    return try stages.map { stage in
      try tensor(values.map { $0[stage.rawValue] }, stage, pictures.dataType)
    }
  }

  public func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients {
    let top = try stage(objective.site)
    let stages = try sites.map(stage)
    for (site, stage) in zip(sites, stages) where stage > top {
      throw CoreError.notApplicable(
        "\(objective.site) does not depend on \(site), which follows it")
    }
    let bottom = stages.min() ?? top
    let pictures = try Pictures(inputs, self)
    let applications = try applications(of: rules, after: bottom, through: top)
    let values = pictures.samples.map { self.values(of: $0, through: top) }
    let value = try tensor(values.map { $0[top.rawValue] }, top, .float64)
    let cotangent = try objective.cotangent(for: value.shape, .float64).elements(of: Double.self)

    // For each sample the cotangents of all stages from `bottom` through `top`.
    let count = value.count / max(values.count, 1)
    let cotangents = values.enumerated().map { n, values in
      var chain = [top: Array(cotangent[n * count..<(n + 1) * count])]
      for stage in Stage.allCases.reversed() where stage <= top && stage > bottom {
        guard let below = stage.below, let above = chain[stage] else { continue }
        let rule = layers[below.rawValue]
        chain[below] = pullback(
          through: stage, at: values[below.rawValue], above,
          rules.rule(forLayer: rule.name, kind: rule.kind))
      }
      return chain
    }
    return Gradients(
      values: try objective.values(of: value),
      tensors: try stages.map { stage in
        try tensor(cotangents.map { $0[stage] ?? [] }, stage, pictures.dataType)
      },
      applications: applications)
  }
}

// MARK: - Stages

extension StripeDetector {
  /// A value on the way from the picture to the answer; stage k is the value of layer k − 1.
  private enum Stage: Int, CaseIterable, Comparable {
    case picture, edges, rectified, stripes

    var below: Stage? { Stage(rawValue: rawValue - 1) }

    static func < (left: Stage, right: Stage) -> Bool { left.rawValue < right.rawValue }
  }

  private func stage(_ site: Site) throws(CoreError) -> Stage {
    switch site {
    case .input("picture"): return .picture
    case .layer("edges"): return .edges
    case .layer("rectified"): return .rectified
    case .output("stripes"), .layer("stripes"), .layer("means"): return .stripes
    default:
      let known = ["picture", "stripes"] + layers.map(\.name)
      throw .unknownName(
        what: "site", name: site.name, suggestion: closestName(to: site.name, among: known),
        known: known)
    }
  }

  private func tensor(
    _ samples: [[Double]], _ stage: Stage, _ type: DataType
  ) throws -> Tensor {
    let shape =
      switch stage {
      case .picture: [1, height, width]
      case .edges, .rectified: [4, height, width]
      case .stripes: [2]
      }
    return try Tensor(samples.flatMap(\.self), shape: [samples.count] + shape).converted(to: type)
  }

  /// Calls `body` with every pixel and its neighbour to the right (0) or below (1).
  private func forEachEdge(_ body: (_ direction: Int, _ pixel: Int, _ neighbour: Int) -> Void) {
    for row in 0..<height {
      for column in 0..<width {
        let pixel = row * width + column
        if column + 1 < width { body(0, pixel, pixel + 1) }
        if row + 1 < height { body(1, pixel, pixel + width) }
      }
    }
  }
}

// MARK: - The function and its derivative

extension StripeDetector {
  /// What each rectified map adds to each answer.
  private static let weights = [[1, 1, -0.5, -0.5], [-0.5, -0.5, 1, 1]]

  /// Returns the values of a sample's stages, the picture first.
  private func values(of picture: [Double], through last: Stage) -> [[Double]] {
    let area = height * width
    var values = [picture]
    if last >= .edges {
      var edges = [Double](repeating: 0, count: 4 * area)
      forEachEdge { direction, pixel, neighbour in
        let difference = picture[neighbour] - picture[pixel]
        edges[2 * direction * area + pixel] = difference
        edges[(2 * direction + 1) * area + pixel] = -difference
      }
      values.append(edges)
    }
    if last >= .rectified { values.append(values[1].map { max($0, 0) }) }
    if last >= .stripes {
      let means = (0..<4).map { map in
        values[2][map * area..<(map + 1) * area].reduce(0, +) / Double(area)
      }
      values.append(Self.weights.map { zip($0, means).reduce(0) { $0 + $1.0 * $1.1 } })
    }
    return values
  }

  /// Returns the cotangent of a stage's input.
  ///
  /// - Parameters:
  ///   - stage: Whose function is differentiated.
  ///   - input: Where.
  ///   - cotangent: Of its value.
  ///   - rule: How to treat the rectifier.
  private func pullback(
    through stage: Stage, at input: [Double], _ cotangent: [Double], _ rule: BackwardRule
  ) -> [Double] {
    let area = height * width
    switch stage {
    case .picture: return cotangent
    case .edges:
      var result = [Double](repeating: 0, count: area)
      forEachEdge { direction, pixel, neighbour in
        let slope =
          cotangent[2 * direction * area + pixel] - cotangent[(2 * direction + 1) * area + pixel]
        result[neighbour] += slope
        result[pixel] -= slope
      }
      return result
    case .rectified:
      return zip(input, cotangent).map { z, g in
        switch rule {
        case .guided: z > 0 ? max(g, 0) : 0
        case .deconvnet: max(g, 0)
        default: z > 0 ? g : 0
        }
      }
    case .stripes:
      return (0..<4 * area).map { i in
        (0..<2).reduce(0) { $0 + cotangent[$1] * Self.weights[$1][i / area] } / Double(area)
      }
    }
  }

  /// Returns where rules other than the gradient apply; one that cannot is an error.
  private func applications(
    of rules: BackwardRules, after bottom: Stage, through top: Stage
  ) throws(CoreError) -> [RuleApplication] {
    var applications: [RuleApplication] = []
    for layer in layers[bottom.rawValue..<top.rawValue] {
      let rule = rules.rule(forLayer: layer.name, kind: layer.kind)
      if rule == .gradient { continue }
      guard layer.kind == "Relu", [.guided, .deconvnet].contains(rule) else {
        throw .notApplicable(
          "the rule '\(rule)' cannot be applied at layer '\(layer.name)' of kind \(layer.kind)")
      }
      applications.append(RuleApplication(rule: rule, layer: layer.name))
    }
    return applications
  }
}

/// The pictures of one call, checked.
private struct Pictures {
  let samples: [[Double]]
  let dataType: DataType

  init(_ inputs: Inputs, _ model: StripeDetector) throws {
    guard inputs.tensors.count == 1, let tensor = inputs["picture"] else {
      throw CoreError.inputCount(expected: ["picture"], found: inputs.tensors.count)
    }
    let dimensions = [1, model.height, model.width]
    guard tensor.dataType.isFloatingPoint, tensor.rank == 4,
      Array(tensor.shape.dimensions.dropFirst()) == dimensions
    else {
      throw CoreError.shapeMismatch(
        what: "real numbers for input 'picture'",
        expected: [tensor.shape.dimensions.first ?? 1] + dimensions,
        found: tensor.shape.dimensions)
    }
    dataType = tensor.dataType
    let area = model.height * model.width
    let numbers = try tensor.converted(to: .float64).elements(of: Double.self)
    samples = (0..<tensor.shape[0]).map { Array(numbers[$0 * area..<($0 + 1) * area]) }
  }
}
