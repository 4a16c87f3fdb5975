import VitrineCore
import VitrineNetwork
import VitrineReport
import VitrineTensor

/// What a model with several inputs is fed: `--input NAME=FILE` for all but one, which takes the operands.
struct ModelInputs: Sendable {
  static let flag = Flag(
    "input", .repeated("NAME=FILE"),
    help: "What a further input of the model is fed, for models with several: give all but the one "
      + "that INPUT goes to. One sample serves all of INPUT's.")

  /// The input that operands go to.
  let port: Port
  private let ports: [Port]
  private let others: [(name: String, file: LoadedInput)]

  /// Reads the files of `--input`.
  ///
  /// - Throws: ``CommandError`` if the flags do not name all inputs but one, once each.
  init(
    _ invocation: Invocation, for model: LoadedModel, preparation: PicturePreparation,
    note: (String) -> Void
  ) throws {
    ports = model.network.signature.inputs
    let names = ports.map(\.name).joined(separator: ", ")
    guard !ports.isEmpty else {
      throw CommandError.usage("the model has no inputs, so there is nothing to explain")
    }
    var others: [(name: String, file: LoadedInput)] = []
    for text in invocation.texts("input") {
      guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
        throw CommandError.usage("--input: expected NAME=FILE, found '\(text)'")
      }
      let name = String(text[..<equals])
      guard let port = ports.first(where: { $0.name == name }) else {
        throw CommandError.usage(
          "--input: the model has no input '\(name)'"
            + ArgumentParser.suggestion(name, ports.map(\.name)) + "; it has \(names)",
          code: "input-name")
      }
      guard !others.contains(where: { $0.name == name }) else {
        throw CommandError.usage("--input \(name) is given twice: expected it once")
      }
      others.append(
        (
          name,
          try LoadedInput(
            contentsOf: String(text[text.index(after: equals)...]), for: port,
            preparation: preparation, note: note)
        ))
    }
    let rest = ports.filter { port in !others.contains { $0.name == port.name } }
    guard rest.count == 1 else {
      throw CommandError.usage(
        rest.isEmpty
          ? "--input names every input of the model; leave one out for INPUT"
          : "the model has \(ports.count) inputs (\(names)): give all but one of them with --input "
            + "NAME=FILE, and that one as INPUT; missing so far: "
            + rest.map(\.name).joined(separator: ", "),
        code: "input-count")
    }
    port = rest[0]
    self.others = others
  }

  /// Returns all inputs for the tensor of an operand.
  ///
  /// - Throws: ``CommandError`` if another input has neither one sample nor as many.
  func inputs(with tensor: Tensor) throws -> Inputs {
    let samples = tensor.shape.dimensions.first ?? 1
    return Inputs(
      try ports.map { port in
        guard let other = others.first(where: { $0.name == port.name }) else {
          return (port.name, tensor)
        }
        let given = other.file.tensor
        guard port.batchAxis == 0, given.shape[0] != samples else { return (port.name, given) }
        guard given.shape[0] == 1 else {
          throw CommandError.badData(
            "--input \(port.name): expected 1 sample, or \(samples) as in the other input, found "
              + "\(given.shape[0])",
            code: "input-shape")
        }
        return (
          port.name,
          try given.broadcast(to: [samples] + given.shape.dimensions.dropFirst())
        )
      })
  }

  /// The files of `--input` with their digests; `nil` if there are none.
  var json: JSON? {
    others.isEmpty
      ? nil
      : .object(
        others.map {
          JSON.Member(
            name: $0.name,
            value: .object(["file": .string($0.file.name), "sha256": .string($0.file.digest)]))
        })
  }
}
