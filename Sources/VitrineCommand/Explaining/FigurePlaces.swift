import VitrineFiles
import VitrineImaging

/// Where the figures of a command go: the rules behind `--output`.
struct FigurePlaces: Sendable {
  /// As given by `--output`.
  private let output: String?
  private let method: String
  private let isOnlyInput: Bool
  private var takenNames: Set<String> = []

  /// - Throws: ``CommandError`` if one file is named for several inputs.
  init(output: String?, method: String, inputs: Int) throws(CommandError) {
    self.output = output
    self.method = method
    isOnlyInput = inputs == 1
    if let output, inputs > 1, Self.isFile(output) {
      throw .usage(
        "--output: \(inputs) inputs make several pictures; give a folder instead of \(output)")
    }
  }

  /// Whether there is one file for each sample, which then shows the main attribution; a folder takes all.
  var takeOneFigure: Bool { output.map(Self.isFile) ?? true }

  /// Returns the path of each figure of one input; paths in one folder differ.
  ///
  /// A single figure goes to the file that `--output` names, or, in the folder it names or else the
  /// current one, to `<input>-<method>.png`. Several figures go to a folder.
  ///
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
      isOnlyInput ? output ?? stem : FileName.join(output ?? "", stem)
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
