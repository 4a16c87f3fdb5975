/// One pass over some components of the frame: header, tables in force, and the decoder.
struct JPEGScan {
  struct Member {
    let component: Int
    let dc: JPEGHuffmanTable?
    let ac: JPEGHuffmanTable?
  }

  let members: [Member]
  /// First and last coefficient in zigzag order.
  let spectralStart: Int
  let spectralEnd: Int
  /// Bit position of earlier scans (0: none) and of this one.
  let previousBit: Int
  let bit: Int
  let isProgressive: Bool

  private var predictions = [Int](repeating: 0, count: 4)
  /// Blocks still to be skipped because their band has ended.
  private var endOfBandRun = 0
  private var block = [Int16](repeating: 0, count: 64)
  private var transform = InverseDCT()

  init(
    members: [Member], spectralStart: Int, spectralEnd: Int, previousBit: Int, bit: Int,
    isProgressive: Bool
  ) {
    self.members = members
    self.spectralStart = spectralStart
    self.spectralEnd = spectralEnd
    self.previousBit = previousBit
    self.bit = bit
    self.isProgressive = isProgressive
  }

  /// Coded units of the whole scan: blocks of a lone component, or interleaved units.
  func unitCount(in frame: JPEGFrame) -> Int {
    if members.count > 1 { return frame.unitsWide * frame.unitsHigh }
    let component = frame.components[members[0].component]
    return component.blocksWide * component.blocksHigh
  }

  /// Decodes the units of one restart interval; returns what stopped it early, or nil.
  mutating func decode(
    units: Range<Int>, from reader: inout JPEGBitReader, into frame: inout JPEGFrame
  ) -> String? {
    predictions = [0, 0, 0, 0]
    endOfBandRun = 0
    for unit in units {
      if members.count == 1 {
        let wide = frame.components[members[0].component].blocksWide
        if let problem = decodeBlock(
          0, row: unit / wide, column: unit % wide, from: &reader, into: &frame)
        {
          return problem
        }
        continue
      }
      for index in members.indices {
        let component = frame.components[members[index].component]
        let (horizontal, vertical) = (component.horizontal, component.vertical)
        let top = unit / frame.unitsWide * vertical
        let left = unit % frame.unitsWide * horizontal
        for row in top..<(top + vertical) {
          for column in left..<(left + horizontal) {
            if let problem = decodeBlock(
              index, row: row, column: column, from: &reader, into: &frame)
            {
              return problem
            }
          }
        }
      }
    }
    return nil
  }

  private mutating func decodeBlock(
    _ index: Int, row: Int, column: Int, from reader: inout JPEGBitReader,
    into frame: inout JPEGFrame
  ) -> String? {
    let target = members[index].component
    let wide = frame.components[target].storedBlocksWide
    if !isProgressive {
      for position in 0..<64 { block[position] = 0 }
      if let problem = decodeSequential(index, from: &reader) { return problem }
      let stride = wide * 8
      transform.run(
        block[...], quantization: frame.components[target].quantization,
        into: &frame.components[target].samples, at: row * 8 * stride + column * 8,
        stride: stride)
      return nil
    }
    if spectralStart > 0, previousBit == 0, endOfBandRun > 0 {
      endOfBandRun -= 1
      return nil
    }
    let start = (row * wide + column) * 64
    for position in 0..<64 {
      block[position] = frame.components[target].coefficients[start + position]
    }
    let problem =
      spectralStart == 0
      ? decodeProgressiveDC(index, from: &reader)
      : previousBit == 0
        ? decodeProgressiveAC(index, from: &reader) : refineProgressiveAC(index, from: &reader)
    if problem != nil { return problem }
    for position in 0..<64 {
      frame.components[target].coefficients[start + position] = block[position]
    }
    return nil
  }
}

// MARK: - Entropy decoding of one block

extension JPEGScan {
  private static let unknownCode = "bits match no Huffman code"
  private static let tooEarly = "the scan data end too early"
  private static let tooMany = "a block has more than 64 coefficients"

  private mutating func decodeSequential(
    _ index: Int, from reader: inout JPEGBitReader
  ) -> String? {
    guard let dc = members[index].dc, let ac = members[index].ac,
      let category = reader.take(dc)
    else { return Self.unknownCode }
    predictions[index] &+= reader.takeSigned(category)
    block[0] = Int16(truncatingIfNeeded: predictions[index])
    var position = 1
    while position < 64 {
      guard let symbol = reader.take(ac) else { return Self.unknownCode }
      let size = symbol & 15
      let zeros = symbol >> 4
      if size == 0 {
        if zeros < 15 { break }
        position += 16
        continue
      }
      position += zeros
      guard position < 64 else { return Self.tooMany }
      block[Self.naturalOrder[position]] = Int16(truncatingIfNeeded: reader.takeSigned(size))
      position += 1
    }
    return reader.isOverrun ? Self.tooEarly : nil
  }

  private mutating func decodeProgressiveDC(
    _ index: Int, from reader: inout JPEGBitReader
  ) -> String? {
    if previousBit > 0 {
      if reader.take(1) == 1 { block[0] |= 1 << Int16(bit) }
    } else {
      guard let dc = members[index].dc, let category = reader.take(dc) else {
        return Self.unknownCode
      }
      predictions[index] &+= reader.takeSigned(category)
      block[0] = Int16(truncatingIfNeeded: predictions[index] << bit)
    }
    return reader.isOverrun ? Self.tooEarly : nil
  }

  private mutating func decodeProgressiveAC(
    _ index: Int, from reader: inout JPEGBitReader
  ) -> String? {
    guard let ac = members[index].ac else { return Self.unknownCode }
    var position = spectralStart
    while position <= spectralEnd {
      guard let symbol = reader.take(ac) else { return Self.unknownCode }
      let size = symbol & 15
      let zeros = symbol >> 4
      if size == 0 {
        if zeros < 15 {
          endOfBandRun = 1 << zeros + reader.take(zeros) - 1
          break
        }
        position += 16
        continue
      }
      position += zeros
      guard position <= spectralEnd else { return Self.tooMany }
      block[Self.naturalOrder[position]] = Int16(
        truncatingIfNeeded: reader.takeSigned(size) << bit)
      position += 1
    }
    return reader.isOverrun ? Self.tooEarly : nil
  }

  private mutating func refineProgressiveAC(
    _ index: Int, from reader: inout JPEGBitReader
  ) -> String? {
    guard let ac = members[index].ac else { return Self.unknownCode }
    let step = Int16(1) << Int16(bit)
    var position = spectralStart
    while endOfBandRun == 0, position <= spectralEnd {
      guard let symbol = reader.take(ac) else { return Self.unknownCode }
      var zeros = symbol >> 4
      var fresh: Int16 = 0
      if symbol & 15 != 0 {
        fresh = reader.take(1) == 1 ? step : -step
      } else if zeros < 15 {
        endOfBandRun = 1 << zeros + reader.take(zeros)
        break
      }
      // Known coefficients on the way get a bit each; zeros are counted down.
      while position <= spectralEnd {
        let natural = Self.naturalOrder[position]
        if block[natural] != 0 {
          refine(natural, by: step, from: &reader)
        } else if zeros == 0 {
          block[natural] = fresh
          break
        } else {
          zeros -= 1
        }
        position += 1
      }
      position += 1
    }
    if endOfBandRun > 0 {
      while position <= spectralEnd {
        let natural = Self.naturalOrder[position]
        if block[natural] != 0 { refine(natural, by: step, from: &reader) }
        position += 1
      }
      endOfBandRun -= 1
    }
    return reader.isOverrun ? Self.tooEarly : nil
  }

  private mutating func refine(
    _ natural: Int, by step: Int16, from reader: inout JPEGBitReader
  ) {
    guard reader.take(1) == 1, block[natural] & step == 0 else { return }
    block[natural] = block[natural] >= 0 ? block[natural] &+ step : block[natural] &- step
  }

  /// Row-major index of every coefficient in zigzag order.
  static let naturalOrder = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
  ]
}
