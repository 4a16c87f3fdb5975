import VitrineTensor

/// What `--raw` and `--output` share.
enum RawOutput {
  /// Refuses an output file that is one of the files read.
  ///
  /// - Throws: ``CommandError``.
  static func check(
    _ output: String?, among inputs: [String], flag: String
  ) throws(CommandError) {
    guard let output, inputs.contains(output) else { return }
    throw .usage("--\(flag) \(output): expected a file of its own, found an input of this command")
  }

  /// Returns the arrays of all inputs as one, along the batch axis.
  ///
  /// - Throws: ``CommandError`` if their shapes differ otherwise.
  static func joined(_ rows: [Tensor]) throws -> Tensor {
    let shapes = Set(rows.map { Array($0.shape.dimensions.dropFirst()) })
    guard shapes.count <= 1 else {
      throw CommandError.badData(
        "--raw: expected inputs whose results have one shape, found "
          + rows.map(\.shape.description).joined(separator: " and "))
    }
    return rows.count == 1 ? rows[0] : try Tensor.concatenation(of: rows, axis: 0)
  }
}
