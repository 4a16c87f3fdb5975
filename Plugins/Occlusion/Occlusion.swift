public import VitrineCore
import VitrineTensor

/// How much the score drops when a part of the input is covered.
///
/// Source: Zeiler, Fergus, "Visualizing and Understanding Convolutional Networks" (ECCV 2014), §4.2. A
/// window filled with a baseline slides over the input; each element gets the mean of F(x) − F(x with
/// window) over the windows that cover it, as in Captum. Xplique and PAIR saliency add them up instead.
///
/// It needs no gradients: any model that can be evaluated will do. Each real input of a model is occluded
/// in turn, while the others are seen.
public struct Occlusion: Explainer {
  public static let method = Method(
    identifier: "occlusion",
    summary: "How much the score drops when a window over the input is filled.",
    paper: "Zeiler, Fergus: Visualizing and Understanding Convolutional Networks, 2014",
    requirement: .evaluation,
    options: [
      Option(
        "window", .integers(1...Int.max), default: nil, unit: "elements",
        help: "Side of the window, or one for each axis; by default a fourteenth of the shortest "
          + "side but at least 4, and one column of a table."),
      Option(
        "stride", .integers(1...Int.max), default: nil, unit: "elements",
        help: "Distance between windows, or one for each axis; by default half the window."),
      Option(
        "fill", .baseline, default: "0",
        help: "What the window shows, as numbers the model sees; colours and files are prepared "
          + "as the input is."),
      Option(
        "scales", .integers(1...Int.max), default: nil, unit: "elements",
        help: "Several sides instead of one: the mean of their maps, and each of them."),
      Option(
        "snapshots", .integer(0...1000), default: "0",
        help: "Keep the input with so many of the windows filled, evenly spread, and the score of "
          + "each: the command makes an animation of them."),
    ],
    claims: [.sensitivity, .linearity, .implementationInvariance])

  /// Side of the window along every axis, or one for each axis; `nil` for the default.
  public let window: [Int]?
  /// Distance between windows, likewise; `nil` for half the window.
  public let stride: [Int]?
  /// What the window shows.
  public let fill: Baseline
  /// Several sides instead of one.
  public let scales: [Int]?
  /// How many filled windows are kept as they were seen, evenly spread.
  public let snapshots: Int

  /// Creates the method.
  ///
  /// - Throws: `CoreError.invalidOption(method:option:value:expected:)` for numbers below 1, or both a
  ///   window and scales.
  public init(
    window: [Int]? = nil, stride: [Int]? = nil, fill: Baseline = .constant(0),
    scales: [Int]? = nil, snapshots: Int = 0
  ) throws(CoreError) {
    guard (0...1000).contains(snapshots) else {
      throw .invalidOption(
        method: Self.method.identifier, option: "snapshots", value: "\(snapshots)",
        expected: "an integer in 0...1000")
    }
    for (option, numbers) in [("window", window), ("stride", stride), ("scales", scales)] {
      guard let numbers, numbers.isEmpty || numbers.contains(where: { $0 < 1 }) else { continue }
      throw .invalidOption(
        method: Self.method.identifier, option: option,
        value: numbers.map(String.init).joined(separator: ","), expected: "integers, at least 1")
    }
    guard window == nil || scales == nil else {
      throw .invalidOption(
        method: Self.method.identifier, option: "scales",
        value: (scales ?? []).map(String.init).joined(separator: ","),
        expected: "either a window or scales, not both")
    }
    self.window = window
    self.stride = stride
    self.fill = fill
    self.scales = scales
    self.snapshots = snapshots
  }

  public init(options: Options) throws {
    try self.init(
      window: options.integers("window"), stride: options.integers("stride"),
      fill: options.baseline("fill"), scales: options.integers("scales"),
      snapshots: options.integer("snapshots"))
  }

  /// Returns the drops of the target's score.
  ///
  /// - Returns: For each real input one attribution in units of the score, with the input's shape: a value
  ///   repeats along the axes that windows cover whole, such as channels. With ``scales`` it is the mean
  ///   of their maps, which follow as attributions of their own, named `window-16`. Diagnostics hold, for
  ///   each map, the window, the stride, and a table with one row for each window: where it starts along
  ///   each axis, and the score with it filled (for each sample, windows innermost). With
  ///   ``snapshots`` there is also, for each input, an attribution of range `input` with an axis `step`: the
  ///   input itself, then with one window filled after the other; `snapshot-scores` are the scores.
  /// - Throws: `CoreError.notApplicable(_:)` for windows larger than the input,
  ///   `CoreError.invalidOption(method:option:value:expected:)` for a stride beyond the window or numbers
  ///   that are neither one nor one for each axis, `CoreError.notFinite(_:)` for a score that overflows;
  ///   what the model throws.
  /// - Complexity: One forward pass, and one for each sample and window; memory does not depend on the
  ///   number of windows.
  public func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    try context.checkCancellation()
    let real = try model.realInputs()
    let target = try model.resolve(target, at: inputs, context: context)
    try context.checkCancellation()
    let output = try model.evaluate(inputs, observing: [target.site])[0]
    let scores = try target.objective.values(of: output)
    guard scores.allSatisfy(\.isFinite) else { throw CoreError.notFinite("the explained score") }

    var kept: [Snapshots] = []
    let scales: [[Int]?] = self.scales.map { $0.map { [$0] } } ?? [window]
    var maps: [[OcclusionMap]] = []
    for port in real.ports {
      guard let input = inputs[port.name] else {
        throw CoreError.inputCount(expected: real.ports.map(\.name), found: inputs.tensors.count)
      }
      guard port.batchAxis ?? 0 == 0, input.rank == port.axes.count else {
        throw CoreError.notApplicable(
          "input '\(port.name)' has shape \(input.shape): expected \(port.shapeDescription), samples "
            + "along the first axis")
      }
      let fill = try fill.tensor(for: input, at: port, context: context)
      // All sizes are checked before the first window is evaluated.
      let windows = try scales.map {
        try Windows(over: input.shape, at: port, size: $0, stride: stride)
      }
      maps.append(
        try windows.map { windows in
          try OcclusionMap(
            windows, of: port, input, fill: fill, whole: scores, target.objective, model,
            at: inputs, context)
        })
      if snapshots > 0 {
        kept.append(
          try Snapshots(
            of: port, input, maps[maps.count - 1], fill: fill, whole: scores, count: snapshots,
            context))
      }
    }
    let type: DataType = output.dataType == .float64 ? .float64 : .float32
    return Explanation(
      method: Self.method.identifier,
      attributions: try attributions(of: maps, real, type)
        + kept.map { $0.attribution(isOnly: kept.count == 1) },
      explained: Explained(target, values: scores),
      diagnostics: diagnostics(of: maps, real.ports)
        + kept.map { $0.diagnostic(isOnly: kept.count == 1) },
      warnings: model.signature.inputs.filter { !$0.dataType.isFloatingPoint }.map {
        "Input '\($0.name)' holds \($0.dataType) numbers, which have no fill: it is left out."
      })
  }
}

// MARK: - The answer

extension Occlusion {
  /// The mean over scales for each input, then each scale where there are several.
  private func attributions(
    of maps: [[OcclusionMap]], _ real: RealInputs, _ type: DataType
  ) throws -> [Attribution] {
    var result = try real.attributions(
      of: try maps.map { scales in
        var sum = scales[0].tensor
        for scale in scales.dropFirst() { sum = try sum.adding(scale.tensor) }
        return try sum.divided(by: Double(scales.count)).converted(to: type)
      }, range: .signed)
    for index in (scales ?? []).indices {
      let parts = try real.attributions(
        of: maps.map { $0[index].tensor.converted(to: type) }, range: .signed)
      result += zip(parts, maps).map { part, scales in
        Attribution(
          name: scales[index].windows.name + (parts.count == 1 ? "" : " of \(part.name)"),
          tensor: part.tensor, axes: part.axes, range: part.range)
      }
    }
    return result
  }

  private func diagnostics(
    of maps: [[OcclusionMap]], _ ports: [Port]
  ) -> [(name: String, value: Explanation.Diagnostic)] {
    var list: [(name: String, value: Explanation.Diagnostic)] = []
    for (port, scales) in zip(ports, maps) {
      for map in scales {
        let windows = map.windows
        let prefix =
          (ports.count > 1 ? port.name + "-" : "") + (scales.count > 1 ? windows.name + "-" : "")
        func add(_ name: String, _ numbers: [Double]) {
          list.append((prefix + name, .numbers(numbers)))
        }
        list.append((prefix + "windows", .number(Double(windows.count))))
        add("window", windows.size.map(Double.init))
        add("stride", windows.stride.map(Double.init))
        let positions = (0..<windows.count).map { windows.position(of: $0) }
        for (index, axis) in windows.axes.enumerated() {
          let name =
            switch port.axes[axis] {
            case .height: "row"
            case .width: "column"
            case let axis: axis.rawValue
            }
          add("window-\(name)s", positions.map { Double($0[index]) })
        }
        add("window-scores", map.scores.flatMap(\.self))
      }
    }
    return list
  }
}

extension Windows {
  /// `window-16`, or `window-16x8` where sides differ.
  fileprivate var name: String {
    let sides = Set(size).count > 1 ? size : Array(size.prefix(1))
    return "window-" + sides.map(String.init).joined(separator: "x")
  }
}
