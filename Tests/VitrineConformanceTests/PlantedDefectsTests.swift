import Synchronization
import Testing
import VitrineConformance
import VitrineCore
import VitrineTensor

/// An explainer that conforms, and breaks one law when told to.
///
/// It multiplies gradient and input, or, for the defects of methods that only evaluate, returns the
/// input.
private protocol Specimen: Explainer {
  static var defect: Defect { get }
  init()
}

private enum Defect {
  case none, badNames, badDefault, unsourced, remembersCalls, drawsFromTheSystem, mixesSamples
  case wrongAxes, wrongName, noValues, notFinite, negativeMagnitudes, writesInputs
  case ignoresCancellation, ignoresCancellationDuring, countsBeyondTotal, clampsTarget
  case acceptsBlackBox, asksTooLittle, throwsForeignError
}

private struct ForeignError: Error {}

private let callCount = Atomic<Int>(0)

extension Specimen {
  init(options: Options) { self.init() }

  static func manifest(_ defect: Defect) -> Method {
    Method(
      identifier: defect == .badNames ? "My Method" : "specimen",
      summary: "Multiplies gradient and input.", paper: defect == .unsourced ? "" : "none",
      requirement: defect == .asksTooLittle ? .evaluation : .gradients,
      options: [
        Option(
          "steps", .integer(1...9), default: defect == .badDefault ? "many" : "3", help: "Steps.")
      ])
  }

  static var method: Method { manifest(defect) }

  func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation {
    let defect = Self.defect
    if defect == .throwsForeignError { throw ForeignError() }
    if defect == .acceptsBlackBox, !(model is any Differentiable) {
      return explanation(zip(model.signature.inputs, inputs.tensors).map { ($0, $1.value) }, [0])
    }
    let model = try differentiable(model)
    if defect != .ignoresCancellation { try context.checkCancellation() }
    var target = target
    if defect == .clampsTarget, case .index(let index) = target.choice {
      target = .index(min(max(index, 0), 1))
    }
    let resolved = try model.resolve(target, at: inputs, context: context)
    let real = try model.realInputs()
    var result: Gradients?
    for step in 1...4 {
      if defect != .ignoresCancellationDuring && defect != .ignoresCancellation {
        try context.checkCancellation()
      }
      result = try model.gradients(
        of: resolved.objective, withRespectTo: real.sites, at: inputs, rules: .gradient)
      context.progress(defect == .countsBeyondTotal ? step + 1 : step, of: 4, "steps")
    }
    guard let result else { throw CoreError.cancelled }

    let samples = result.tensors[0].shape[0]
    var products: [(Port, Tensor)] = []
    for (port, gradient) in zip(real.ports, result.tensors) {
      guard let input = inputs[port.name] else {
        throw CoreError.inputCount(expected: [], found: 0)
      }
      let scale = try scale(samples)
      let product = try zip(
        gradient.elements(of: Float.self), input.elements(of: Float.self)
      ).map { $0 * $1 * scale }
      products.append((port, try Tensor(product, shape: input.shape.dimensions)))
      if defect == .writesInputs {
        input.withBytes { bytes in
          let writable = UnsafeMutableRawBufferPointer(mutating: bytes)
          writable.storeBytes(of: 0.125, as: Float.self)
        }
      }
    }
    return explanation(products, defect == .noValues ? [] : result.values)
  }

  private func scale(_ samples: Int) throws -> Float {
    switch Self.defect {
    case .remembersCalls: Float(callCount.add(1, ordering: .relaxed).newValue)
    case .drawsFromTheSystem: Float.random(in: 0...1)
    case .mixesSamples: Float(samples)
    case .notFinite: .nan
    default: 1
    }
  }

  private func explanation(_ tensors: [(Port, Tensor)], _ values: [Double]) -> Explanation {
    Explanation(
      method: Self.defect == .wrongName ? "other" : Self.method.identifier,
      attributions: tensors.map { port, tensor in
        Attribution(
          name: port.name, tensor: tensor,
          axes: Self.defect == .wrongAxes ? Array(port.axes.dropLast()) : port.axes,
          range: Self.defect == .negativeMagnitudes ? .nonnegative : .signed)
      },
      explained: Explained(
        site: .output("output"), score: .logit, skippedSoftmax: false, elements: [],
        values: values))
  }
}

private struct Sound: Specimen { static let defect = Defect.none }
private struct BadNames: Specimen { static let defect = Defect.badNames }
private struct BadDefault: Specimen { static let defect = Defect.badDefault }
private struct Unsourced: Specimen { static let defect = Defect.unsourced }
private struct RemembersCalls: Specimen { static let defect = Defect.remembersCalls }
private struct DrawsFromTheSystem: Specimen { static let defect = Defect.drawsFromTheSystem }
private struct MixesSamples: Specimen { static let defect = Defect.mixesSamples }
private struct WrongAxes: Specimen { static let defect = Defect.wrongAxes }
private struct WrongName: Specimen { static let defect = Defect.wrongName }
private struct NoValues: Specimen { static let defect = Defect.noValues }
private struct NotFinite: Specimen { static let defect = Defect.notFinite }
private struct NegativeMagnitudes: Specimen { static let defect = Defect.negativeMagnitudes }
private struct WritesInputs: Specimen { static let defect = Defect.writesInputs }
private struct IgnoresCancellation: Specimen { static let defect = Defect.ignoresCancellation }
private struct IgnoresCancellationDuring: Specimen {
  static let defect = Defect.ignoresCancellationDuring
}
private struct CountsBeyondTotal: Specimen { static let defect = Defect.countsBeyondTotal }
private struct ClampsTarget: Specimen { static let defect = Defect.clampsTarget }
private struct AcceptsBlackBox: Specimen { static let defect = Defect.acceptsBlackBox }
private struct AsksTooLittle: Specimen { static let defect = Defect.asksTooLittle }
private struct ThrowsForeignError: Specimen { static let defect = Defect.throwsForeignError }

/// Applies to no model.
private struct NeverApplies: Explainer {
  static let method = Sound.method
  init(options: Options) {}

  func explain(
    _ model: any Model, at inputs: Inputs, target: Target, context: Context
  ) throws -> Explanation { throw CoreError.notApplicable("never") }
}

@Suite("The conformance kit finds planted defects")
struct PlantedDefectsTests {
  /// One model with one input and one with several are enough, and fast.
  private let cases = Conformance.cases.filter { ["linear", "gated"].contains($0.name) }

  private func expect(_ type: any Explainer.Type, breaks laws: Law...) {
    #expect(Set(Conformance.check(type, on: cases).map(\.law)) == Set(laws), "\(type)")
  }

  @Test("an explainer without a defect has no violation")
  func sound() {
    #expect(Conformance.check(Sound.self) == [])
  }

  @Test("each defect is found as a breach of the law it breaks, and of no other")
  func defects() {
    expect(BadNames.self, breaks: .manifest)
    expect(Unsourced.self, breaks: .manifest)
    expect(BadDefault.self, breaks: .options)
    expect(DrawsFromTheSystem.self, breaks: .determinism, .batchIndependence)
    expect(RemembersCalls.self, breaks: .determinism, .batchIndependence)
    expect(MixesSamples.self, breaks: .batchIndependence)
    expect(WrongAxes.self, breaks: .shape)
    expect(NoValues.self, breaks: .shape)
    expect(NotFinite.self, breaks: .finiteness)
    expect(NegativeMagnitudes.self, breaks: .finiteness)
    expect(WritesInputs.self, breaks: .nonMutation)
    expect(IgnoresCancellation.self, breaks: .cancellation)
    expect(IgnoresCancellationDuring.self, breaks: .cancellation)
    expect(CountsBeyondTotal.self, breaks: .progress)
    expect(ClampsTarget.self, breaks: .targetRange)
    expect(AcceptsBlackBox.self, breaks: .capability)
    expect(AsksTooLittle.self, breaks: .capability)
    expect(ThrowsForeignError.self, breaks: .applicability)
    expect(NeverApplies.self, breaks: .applicability)
  }

  @Test("a result under another method's name is found")
  func wrongName() {
    #expect(
      Conformance.check(WrongName.self).first?.description
        == "shape (linear): expected method 'specimen', found 'other'")
  }
}
