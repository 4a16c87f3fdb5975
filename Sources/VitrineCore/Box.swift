/// A part of an input: a range of positions along each of its axes.
public struct Box: Sendable, Hashable {
  /// One for each axis of the input, inside it; along a batch axis every sample is meant, whatever the
  /// range.
  public let ranges: [Range<Int>]

  /// Creates a box.
  public init(_ ranges: [Range<Int>]) { self.ranges = ranges }
}
