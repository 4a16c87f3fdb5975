/// How well a map agrees with a mask that says where the evidence truly lies.
///
/// Only positive evidence counts; sources: Arras, Osman, Samek, "CLEVR-XAI" (Information Fusion 2022) for
/// mass and rank; Zhang et al., "Top-down Neural Attention by Excitation Backprop" (ECCV 2016) for the
/// pointing game, here without tolerance.
public struct MaskAgreement: Sendable, Hashable {
  /// Share of the positive evidence inside the mask, 0...1.
  public let relevanceMass: Double
  /// Share of the mask's size that the strongest pixels, as many as the mask has, find inside, 0...1.
  public let rankAccuracy: Double
  /// Whether the strongest pixel lies inside.
  public let isHit: Bool

  /// Compares a map with a mask, both row by row.
  ///
  /// - Returns: `nil` if the mask is empty or the map has no positive value: there is nothing to judge.
  /// - Complexity: O(n log n) for n pixels.
  public init?(map: [Float], mask: [Bool]) {
    precondition(map.count == mask.count, "a map and its mask have as many pixels")
    let evidence = map.map { $0 > 0 ? Double($0) : 0 }
    let total = evidence.reduce(0, +)
    let size = mask.count { $0 }
    guard total > 0, size > 0 else { return nil }
    relevanceMass = zip(evidence, mask).reduce(0) { $0 + ($1.1 ? $1.0 : 0) } / total
    let order = evidence.indices.sorted {
      evidence[$0] == evidence[$1] ? $0 < $1 : evidence[$0] > evidence[$1]
    }
    rankAccuracy = Double(order.prefix(size).count { mask[$0] }) / Double(size)
    isHit = mask[order[0]]
  }
}
