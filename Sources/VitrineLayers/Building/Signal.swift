public import VitrineTensor

/// A value between layers while a network is built.
public struct Signal: Sendable, Hashable {
  /// Name of the value in the graph.
  public let name: String
  /// Extents for one sample, without the batch axis, which every signal has first.
  public let shape: [Int]
  /// Type of the elements.
  public let dataType: DataType
}
