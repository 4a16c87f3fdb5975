import VitrineFiles
import VitrineImaging

/// Where the figures of a command go: the rules behind `--output`.
struct FigurePlaces: Sendable {
  /// As given by `--output`.
  private let output: String?
  private let method: String
  private let inputs: Int
  /// How many the input holds whose figures come next.
  private var samples = 1
  private var takenNames: Set<String> = []

  /// - Throws: ``CommandError`` if one file is named for several inputs.
  init(output: String?, method: String, inputs: Int) throws(CommandError) {
    self.output = output
    self.method = method
    self.inputs = inputs
    if let output, inputs > 1, Self.isFile(output) {
      throw .usage(
        "--output: \(inputs) inputs make several pictures; give a folder instead of \(output)")
    }
  }

  /// Whether there is one file for each sample, which then shows the main attribution; a folder takes all.
  var takeOneFigure: Bool { output.map(Self.isFile) ?? true }

  /// Tells how many samples the next input holds.
  ///
  /// - Throws: ``CommandError`` if one file is named for the figures of several.
  mutating func prepare(samples: Int) throws(CommandError) {
    self.samples = samples
    guard let output, samples > 1, Self.isFile(output), OutputFiles.kind(of: output) != .device
    else { return }
    throw .usage(
      "--output: \(samples) samples make several pictures; give a folder instead of \(output)")
  }

  /// Returns the path of each figure of one sample; paths in one folder differ.
  ///
  /// A single figure goes to the file that `--output` names, or, in the folder it names or else the
  /// current one, to `<input>-<method>.png`. Several figures go to a folder.
  ///
  /// - Parameter input: The input's name, with the sample's number where it holds several.
  /// - Throws: ``CommandError`` if one file is named for several figures.
  mutating func paths(
    of figures: [Figure], input: String
  ) throws(CommandError) -> (folder: String, files: [String]) {
    var stem = FileName.safe(FileName.stem(of: input)) + "-" + method
    var number = 2
    while !takenNames.insert(stem).inserted {
      stem = FileName.safe(FileName.stem(of: input)) + "-\(number)-" + method
      number += 1
    }
    if let output, Self.isFile(output) {
      guard figures.count == 1 else {
        throw .usage(
          "--output: \(method) makes \(figures.count) pictures; give a folder instead of \(output)")
      }
      return ("", [output])
    }
    if figures.count == 1, figures[0].name == nil {
      let folder = output ?? ""
      return (folder, [FileName.join(folder, stem + ".png")])
    }
    let folder =
      inputs == 1 && samples == 1 ? output ?? stem : FileName.join(output ?? "", stem)
    var taken: Set<String> = []
    let files = figures.enumerated().map { index, figure in
      var name = figure.name ?? "figure"
      if !taken.insert(name).inserted {
        name += "-\(index)"
        taken.insert(name)
      }
      return FileName.join(folder, name + ".png")
    }
    return (folder, files)
  }

  /// Returns the name of what goes with a picture: `why-mask.png` beside `why.png`.
  static func path(beside path: String, suffix: String) -> String {
    let stem = path.lowercased().hasSuffix(".png") ? String(path.dropLast(4)) : path
    return stem + "-" + suffix + ".png"
  }

  /// Whether a path names a picture rather than a folder of pictures.
  private static func isFile(_ path: String) -> Bool {
    FileName.pathExtension(of: path) == "png" && OutputFiles.kind(of: path) != .folder
      || OutputFiles.kind(of: path) == .device
  }
}
