import Synchronization
import VitrineCore
import VitrineTensor

/// One explainer under examination, and what was found so far.
struct Examination {
  let type: any Explainer.Type
  let options: [String: String]
  let method: Method
  private(set) var violations: [Violation] = []
  private var explained = 0

  init(_ type: any Explainer.Type, _ options: [String: String]) {
    self.type = type
    self.options = options
    method = type.method
  }

  mutating func report(_ law: Law, _ detail: String) { report(law, nil, detail) }

  mutating func report(_ law: Law, _ subject: String?, _ detail: String) {
    guard !violations.contains(where: { $0.law == law && $0.subject == subject }) else { return }
    violations.append(Violation(law: law, subject: subject, detail: detail))
  }
}

// MARK: - The method

extension Examination {
  mutating func checkManifest() {
    let names = [method.identifier] + method.aliases
    for name in names + method.options.map(\.name) where !isKebabCase(name) {
      report(.manifest, "expected a name in kebab-case, found '\(name)'")
    }
    if Set(names).count < names.count {
      report(.manifest, "expected different aliases, found \(names)")
    }
    if Set(method.options.map(\.name)).count < method.options.count {
      report(.manifest, "expected different option names, found \(method.options.map(\.name))")
    }
    for text in [method.summary] + method.options.map(\.help) where !text.hasSuffix(".") {
      report(.manifest, "expected a sentence as summary and help, found '\(text)'")
    }
    if method.paper.isEmpty { report(.manifest, "expected the source of the method, found none") }
    if type.method != method { report(.manifest, "expected the same manifest at each access") }
  }

  mutating func checkOptions() {
    do {
      _ = try type.init([:])
      _ = try type.init(options)
    } catch {
      report(
        .options, "expected an explainer from defaults and from the given options, found: \(error)")
    }
    for option in method.options {
      let misspelt = option.name + "x"
      do {
        _ = try type.init([misspelt: option.defaultText ?? "1"])
        report(.options, "expected an error for the unknown option '\(misspelt)', found none")
      } catch CoreError.unknownName(_, misspelt, option.name, _) {
      } catch {
        report(
          .options, "expected '\(option.name)' to be suggested for '\(misspelt)', found: \(error)")
      }
    }
  }

  mutating func checkApplicability() {
    if explained == 0 && violations.isEmpty {
      report(.applicability, "expected at least one model to be explained, found none")
    }
  }

  private func isKebabCase(_ name: String) -> Bool {
    !name.isEmpty
      && name.split(separator: "-", omittingEmptySubsequences: false).allSatisfy { word in
        !word.isEmpty && word.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) }
      }
  }
}

// MARK: - One case

extension Examination {
  mutating func examine(_ subject: Conformance.Case) {
    guard let explainer = try? type.init(options) else { return }
    let progress = ProgressRecord()
    let first: Explanation
    do {
      first = try explain(
        subject, with: explainer,
        context: Context(seed: 7, onProgress: { progress.append($0) }))
    } catch let error as CoreError where error.meansNotApplicable {
      return
    } catch {
      report(
        .applicability, subject.name,
        "expected an explanation, or a CoreError that says why there is none, found: \(error)")
      return
    }
    explained += 1
    checkShape(of: first, subject)
    checkFiniteness(of: first, subject)
    checkProgress(progress.reports, subject)
    checkDeterminism(of: explainer, first, subject)
    checkBatchIndependence(of: explainer, first, subject)
    checkCancellation(of: explainer, subject)
    checkTargetRange(of: explainer, subject)
    checkCapability(of: explainer, first, subject)
  }

  /// Explains a copy of the case's inputs, and compares it with them afterwards.
  private mutating func explain(
    _ subject: Conformance.Case, with explainer: any Explainer, model: (any Model)? = nil,
    inputs: Inputs? = nil, target: Target = .top, context: Context = Context(seed: 7)
  ) throws -> Explanation {
    let inputs = inputs ?? subject.inputs
    // Rows of a tensor are copied byte by byte, so the copy shares no memory with the original.
    let copy = Inputs(inputs.tensors.map { ($0.name, $0.value.rows(0..<$0.value.rowCount)) })
    defer {
      if zip(inputs.tensors, copy.tensors).contains(where: { $0.value != $1.value }) {
        report(.nonMutation, subject.name, "expected the inputs as they were, found them changed")
      }
    }
    return try explainer.explain(
      model ?? subject.model, at: copy, target: target, context: context)
  }

  private mutating func checkShape(of explanation: Explanation, _ subject: Conformance.Case) {
    let samples = subject.samples
    if explanation.method != method.identifier {
      report(
        .shape, subject.name,
        "expected method '\(method.identifier)', found '\(explanation.method)'")
    }
    for attribution in explanation.attributions {
      let shape = attribution.tensor.shape
      if attribution.axes.count != shape.rank {
        report(
          .shape, subject.name,
          "expected \(shape.rank) axes for shape \(shape), found \(attribution.axes.count)")
      } else if let axis = attribution.axes.firstIndex(of: .batch), shape[axis] != samples {
        report(
          .shape, subject.name,
          "expected \(samples) samples along the batch axis, found shape \(shape)")
      }
    }
    let values = explanation.explained.values.count
    if method.usesTarget && values == 0 || values % samples != 0 {
      report(
        .shape, subject.name, "expected a value for each of \(samples) samples, found \(values)")
    }
    let elements = explanation.explained.elements.count
    if ![0, 1, samples].contains(elements) {
      report(
        .shape, subject.name,
        "expected an explained element for each of \(samples) samples, found \(elements)")
    }
  }

  private mutating func checkFiniteness(of explanation: Explanation, _ subject: Conformance.Case) {
    for attribution in explanation.attributions {
      guard
        let numbers = try? attribution.tensor.converted(to: .float64).elements(of: Double.self)
      else { continue }
      if let bad = numbers.first(where: { !$0.isFinite }) {
        report(
          .finiteness, subject.name,
          "expected finite numbers in '\(attribution.name)', found \(bad)")
      } else if attribution.range == .nonnegative, let bad = numbers.first(where: { $0 < 0 }) {
        report(
          .finiteness, subject.name,
          "expected no negative number in '\(attribution.name)', whose range is nonnegative, "
            + "found \(bad)")
      }
    }
    if let bad = explanation.explained.values.first(where: { !$0.isFinite }) {
      report(.finiteness, subject.name, "expected finite explained values, found \(bad)")
    }
  }

  private mutating func checkProgress(_ reports: [Progress], _ subject: Conformance.Case) {
    for report in reports where !(0...max(report.total, 0)).contains(report.done) {
      self.report(
        .progress, subject.name,
        "expected at most \(report.total) \(report.unit) to be done, found \(report.done)")
    }
  }

  private mutating func checkDeterminism(
    of explainer: any Explainer, _ first: Explanation, _ subject: Conformance.Case
  ) {
    do {
      // Another input in between, and then the first again: nothing may be remembered.
      _ = try explain(subject, with: explainer, inputs: subject.sample(subject.samples - 1))
      let again = try explain(subject, with: explainer)
      let other = try explain(subject, with: type.init(options))
      if !first.isSame(as: again) || !first.isSame(as: other) {
        report(.determinism, subject.name, "expected bit-equal results of equal calls")
      }
    } catch {
      report(.determinism, subject.name, "expected equal calls to succeed alike, found: \(error)")
    }
  }

  private mutating func checkBatchIndependence(
    of explainer: any Explainer, _ batch: Explanation, _ subject: Conformance.Case
  ) {
    do {
      for n in 0..<subject.samples {
        let alone = try explain(subject, with: explainer, inputs: subject.sample(n))
        for (a, b) in zip(batch.attributions, alone.attributions)
        where a.axes.first == .batch && a.tensor.rowCount == subject.samples {
          if a.tensor.rows(n..<n + 1) != b.tensor {
            report(
              .batchIndependence, subject.name,
              "expected sample \(n) alone to give the same bits as in its batch")
          }
        }
      }
    } catch {
      report(
        .batchIndependence, subject.name, "expected a sample alone to be explained, found: \(error)"
      )
    }
  }

  private mutating func checkCancellation(
    of explainer: any Explainer, _ subject: Conformance.Case
  ) {
    let before = Cancellation()
    before.cancel()
    do {
      _ = try explain(subject, with: explainer, context: Context(seed: 7, cancellation: before))
      report(.cancellation, subject.name, "expected a cancelled run to throw, found a result")
    } catch CoreError.cancelled {
    } catch {
      report(.cancellation, subject.name, "expected CoreError.cancelled, found: \(error)")
    }

    let during = Cancellation()
    let model = CancellingModel(subject.model, during)
    _ = try? explain(
      subject, with: explainer, model: model, context: Context(seed: 7, cancellation: during))
    if model.callCount > 1 + CancellingModel.allowedCalls {
      report(
        .cancellation, subject.name,
        "expected at most \(CancellingModel.allowedCalls) calls of the model after the "
          + "cancellation, found \(model.callCount - 1)")
    }
  }

  private mutating func checkTargetRange(
    of explainer: any Explainer, _ subject: Conformance.Case
  ) {
    guard method.usesTarget else { return }
    let wrong: [(String, Target)] = [
      ("index 1048576", .index(1 << 20)), ("index -1", .index(-1)),
      (
        "\(subject.samples + 1) indices for \(subject.samples) samples",
        Target(.perSample(Array(repeating: 0, count: subject.samples + 1)))
      ),
      ("a label without labels", .label("cat")),
      ("an unknown output", Target(.top, output: "no such output")),
    ]
    for (name, target) in wrong {
      if (try? explain(subject, with: explainer, target: target)) != nil {
        report(.targetRange, subject.name, "expected an error for \(name), found a result")
      }
    }
  }

  private mutating func checkCapability(
    of explainer: any Explainer, _ full: Explanation, _ subject: Conformance.Case
  ) {
    do {
      let result = try explain(subject, with: explainer, model: BlackBox(subject.model))
      if method.requirement == .gradients {
        report(
          .capability, subject.name,
          "expected a model without gradients to be refused, found a result")
      } else if !full.isSame(as: result) {
        report(
          .capability, subject.name,
          "expected the same bits from a model that only evaluates, which the method says suffices")
      }
    } catch CoreError.missingCapability where method.requirement == .gradients {
    } catch {
      report(
        .capability, subject.name,
        method.requirement == .gradients
          ? "expected CoreError.missingCapability, found: \(error)"
          : "expected a model that only evaluates to suffice, found: \(error)")
    }
  }
}

// MARK: - Instruments

/// Requests cancellation when it is first called, and counts the calls.
private final class CancellingModel: Differentiable {
  /// How many more calls of the model a method may make before it notices.
  static let allowedCalls = 2

  private let model: any Differentiable
  private let cancellation: Cancellation
  private let calls = Atomic<Int>(0)

  init(_ model: any Differentiable, _ cancellation: Cancellation) {
    self.model = model
    self.cancellation = cancellation
  }

  var callCount: Int { calls.load(ordering: .relaxed) }
  var signature: Signature { model.signature }
  var layers: [Layer] { model.layers }

  func site(of score: Score, output: String) -> Site? { model.site(of: score, output: output) }

  func evaluate(_ inputs: Inputs, observing sites: [Site]) throws -> [Tensor] {
    recordCall()
    return try model.evaluate(inputs, observing: sites)
  }

  func gradients(
    of objective: Objective, withRespectTo sites: [Site], at inputs: Inputs, rules: BackwardRules
  ) throws -> Gradients {
    recordCall()
    return try model.gradients(of: objective, withRespectTo: sites, at: inputs, rules: rules)
  }

  private func recordCall() {
    calls.add(1, ordering: .relaxed)
    cancellation.cancel()
  }
}

/// Keeps the progress that a run reports.
private final class ProgressRecord: Sendable {
  private let list = Mutex<[Progress]>([])

  var reports: [Progress] { list.withLock(\.self) }

  func append(_ progress: Progress) { list.withLock { $0.append(progress) } }
}

extension CoreError {
  /// Whether it says that the request does not fit this model, as opposed to a fault.
  var meansNotApplicable: Bool {
    switch self {
    case .notApplicable, .unknownName, .inputCount, .channelOutOfRange, .elementOutOfRange,
      .noProbability:
      true
    default: false
    }
  }
}

extension Explanation {
  /// Whether arrays and explained values have the same bits; diagnostics may hold times.
  fileprivate func isSame(as other: Explanation) -> Bool {
    attributions.count == other.attributions.count
      && zip(attributions, other.attributions).allSatisfy {
        $0.name == $1.name && $0.axes == $1.axes && $0.tensor == $1.tensor
      }
      && explained.elements == other.explained.elements
      && explained.values.map(\.bitPattern) == other.explained.values.map(\.bitPattern)
      && warnings == other.warnings
  }
}

extension Conformance.Case {
  fileprivate var samples: Int { max(inputs.tensors.first?.value.rowCount ?? 1, 1) }

  fileprivate func sample(_ n: Int) -> Inputs {
    Inputs(inputs.tensors.map { ($0.name, $0.value.rows(n..<n + 1)) })
  }
}

extension Tensor {
  /// The extent of the first axis; 1 for a scalar.
  var rowCount: Int { rank > 0 ? shape[0] : 1 }

  /// Returns a copy of some rows of the first axis, in memory of its own.
  fileprivate func rows(_ range: Range<Int>) -> Tensor {
    guard rank > 0, rowCount > 0,
      let shape = try? Shape([range.count] + shape.dimensions.dropFirst())
    else { return self }
    var result = Tensor(zeros: shape, dataType)
    let rowBytes = count / rowCount * dataType.byteCount
    result.withMutableBytes { target in
      withBytes { source in
        target.copyMemory(
          from: UnsafeRawBufferPointer(
            rebasing: source[range.lowerBound * rowBytes..<range.upperBound * rowBytes]))
      }
    }
    return result
  }
}
