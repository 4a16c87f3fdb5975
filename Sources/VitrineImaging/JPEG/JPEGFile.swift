/// The marker segments of a JPEG, read one after the other.
struct JPEGFile {
  private let bytes: [UInt8]
  private let limits: ImageLimits
  private let strict: Bool
  private var position = 2

  private var frame: JPEGFrame?
  private var quantization = [[UInt16]](repeating: [], count: 4)
  private var dcTables = [JPEGHuffmanTable?](repeating: nil, count: 4)
  private var acTables = [JPEGHuffmanTable?](repeating: nil, count: 4)
  private var restartInterval = 0
  private var scanCount = 0
  private var sawJFIF = false
  private var adobeTransform: UInt8?
  private var orientation = 1
  private(set) var warnings: [String] = []

  init(_ bytes: [UInt8], limits: ImageLimits, strict: Bool) {
    self.bytes = bytes
    self.limits = limits
    self.strict = strict
  }

  /// Reads all segments up to the end of the image.
  mutating func readSegments() throws(ImagingError) {
    guard bytes.starts(with: [0xFF, 0xD8]) else {
      throw JPEG.damage(0, "the start marker is missing")
    }
    do {
      while try readSegment() {}
    } catch {
      // Once there are pixels, damage further on costs only what it covers.
      guard !strict, scanCount > 0, case .malformed(_, let offset, let reason) = error else {
        throw error
      }
      warnings.append("at byte \(offset), \(reason); what was read before is shown")
    }
    guard scanCount > 0 else {
      throw JPEG.damage(position, "the file ends before its first scan")
    }
  }

  /// Returns the picture and its EXIF orientation.
  mutating func picture() throws(ImagingError) -> (image: Image, orientation: Int) {
    guard var frame else { throw JPEG.damage(position, "there is no frame header") }
    self.frame = nil
    for index in frame.components.indices {
      if frame.components[index].quantization.isEmpty {
        try tolerate(position, "component \(frame.components[index].id) has no scan")
      }
      frame.components[index].prepare(isProgressive: frame.isProgressive)
      if frame.isProgressive { frame.components[index].reconstruct() }
    }
    let assembly = JPEGAssembly(
      frame: frame, space: JPEGColorSpace(frame, sawJFIF: sawJFIF, adobe: adobeTransform))
    return (assembly.image(), orientation)
  }

  /// Throws if strict, else notes a warning.
  private mutating func tolerate(_ offset: Int, _ reason: String) throws(ImagingError) {
    if strict { throw JPEG.damage(offset, reason) }
    warnings.append("at byte \(offset), \(reason); the affected part is gray")
  }

  // MARK: Segments

  /// Reads one marker with what belongs to it; returns false at the end of the image.
  private mutating func readSegment() throws(ImagingError) -> Bool {
    guard let start = bytes[position...].firstIndex(of: 0xFF),
      let code = bytes[start...].firstIndex(where: { $0 != 0xFF })
    else { throw JPEG.damage(bytes.count, "the file ends before its end marker") }
    guard start == position || !strict else {
      throw JPEG.damage(position, "\(start - position) bytes between two segments")
    }
    let marker = bytes[code]
    position = code + 1
    switch marker {
    case 0xD9: return false
    case 0x00, 0x01, 0xD0...0xD7: return true
    case 0xD8: throw JPEG.damage(code, "a second start marker")
    default: break
    }
    guard bytes.count - position >= 2 else {
      throw JPEG.damage(bytes.count, "the file ends before its end marker")
    }
    let length = Int(bytes[position]) << 8 | Int(bytes[position + 1])
    guard length >= 2, length <= bytes.count - position else {
      throw JPEG.damage(
        position, "a segment declares \(length) bytes where \(bytes.count - position) are left")
    }
    let body = bytes[(position + 2)..<(position + length)]
    position += length
    try interpret(marker, body)
    return true
  }

  private mutating func interpret(
    _ marker: UInt8, _ body: ArraySlice<UInt8>
  ) throws(ImagingError) {
    switch marker {
    case 0xC0, 0xC1, 0xC2:
      guard frame == nil else { throw JPEG.damage(body.startIndex, "a second frame header") }
      frame = try JPEGFrame(
        body, isProgressive: marker == 0xC2, fileSize: bytes.count, limits: limits)
    case 0xC3: throw .unsupported(format: "JPEG", feature: "lossless coding")
    case 0xC5, 0xC6, 0xC7: throw .unsupported(format: "JPEG", feature: "hierarchical coding")
    case 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF:
      throw .unsupported(format: "JPEG", feature: "arithmetic coding")
    case 0xC4: try readHuffmanTables(body)
    case 0xDB: try readQuantizationTables(body)
    case 0xDD:
      guard body.count == 2 else { throw JPEG.damage(body.startIndex, "a wrong DRI segment") }
      restartInterval = body.reduce(0) { $0 << 8 | Int($1) }
    case 0xDA: try readScan(body)
    case 0xE0: if body.starts(with: [0x4A, 0x46, 0x49, 0x46, 0]) { sawJFIF = true }
    case 0xE1: if let found = EXIFOrientation.read(body) { orientation = found }
    case 0xEE:
      if body.starts(with: [0x41, 0x64, 0x6F, 0x62, 0x65]), body.count >= 12 {
        adobeTransform = body[body.startIndex + 11]
      }
    default: break
    }
  }

  private mutating func readHuffmanTables(_ body: ArraySlice<UInt8>) throws(ImagingError) {
    var rest = body
    while !rest.isEmpty {
      let offset = rest.startIndex
      guard rest.count >= 17 else { throw JPEG.damage(offset, "a Huffman table is cut") }
      let (kind, index) = (rest[offset] >> 4, Int(rest[offset] & 15))
      guard kind <= 1, index < 4 else {
        throw JPEG.damage(offset, "Huffman table \(index) of class \(kind) cannot exist")
      }
      let counts = rest[(offset + 1)..<(offset + 17)]
      let total = counts.reduce(0) { $0 + Int($1) }
      guard total <= 256, total <= rest.count - 17 else {
        throw JPEG.damage(offset, "a Huffman table declares \(total) codes")
      }
      let symbols = Array(rest[(offset + 17)..<(offset + 17 + total)])
      guard kind == 1 || symbols.allSatisfy({ $0 <= 15 }),
        let table = JPEGHuffmanTable(counts: counts, symbols: symbols)
      else { throw JPEG.damage(offset, "a Huffman table is not a prefix code") }
      if kind == 0 { dcTables[index] = table } else { acTables[index] = table }
      rest = rest[(offset + 17 + total)...]
    }
  }

  private mutating func readQuantizationTables(_ body: ArraySlice<UInt8>) throws(ImagingError) {
    var rest = body
    while !rest.isEmpty {
      let offset = rest.startIndex
      let (precision, index) = (rest[offset] >> 4, Int(rest[offset] & 15))
      let size = precision == 0 ? 64 : 128
      guard precision <= 1, index < 4, rest.count > size else {
        throw JPEG.damage(offset, "a wrong quantisation table")
      }
      var table = [UInt16](repeating: 0, count: 64)
      for (entry, natural) in JPEGScan.naturalOrder.enumerated() {
        let start = offset + 1 + entry * (size / 64)
        table[natural] =
          precision == 0
          ? UInt16(rest[start]) : UInt16(rest[start]) << 8 | UInt16(rest[start + 1])
      }
      quantization[index] = table
      rest = rest[(offset + 1 + size)...]
    }
  }
}

// MARK: - Scans

extension JPEGFile {
  private mutating func readScan(_ body: ArraySlice<UInt8>) throws(ImagingError) {
    try limits.check("maximumScans", scanCount + 1, limits.maximumScans)
    guard var frame else { throw JPEG.damage(body.startIndex, "a scan before the frame header") }
    var scan = try scanHeader(body, frame)
    for member in scan.members {
      let table = frame.components[member.component].tableIndex
      guard !quantization[table].isEmpty else {
        throw JPEG.damage(body.startIndex, "quantisation table \(table) is missing")
      }
    }
    // Hold the only reference while decoding, so that nothing is copied.
    self.frame = nil
    defer { self.frame = frame }
    for member in scan.members {
      let table = quantization[frame.components[member.component].tableIndex]
      if frame.components[member.component].quantization.isEmpty {
        frame.components[member.component].quantization = table
      }
      frame.components[member.component].prepare(isProgressive: frame.isProgressive)
    }
    scanCount += 1
    try decodeIntervals(&scan, &frame)
  }

  private func scanHeader(
    _ body: ArraySlice<UInt8>, _ frame: JPEGFrame
  ) throws(ImagingError) -> JPEGScan {
    let offset = body.startIndex
    let body = Array(body)
    let count = body.first.map { Int($0) } ?? 0
    guard (1...4).contains(count), body.count == 4 + 2 * count else {
      throw JPEG.damage(offset, "a wrong scan header")
    }
    let isProgressive = frame.isProgressive
    let start = isProgressive ? Int(body[1 + 2 * count]) : 0
    let end = isProgressive ? Int(body[2 + 2 * count]) : 63
    let previousBit = isProgressive ? Int(body[3 + 2 * count] >> 4) : 0
    let bit = isProgressive ? Int(body[3 + 2 * count] & 15) : 0
    if isProgressive {
      let isBandValid = start == 0 ? end == 0 : start <= end && end <= 63 && count == 1
      guard isBandValid, bit <= 13, previousBit == 0 || previousBit == bit + 1 else {
        throw JPEG.damage(
          offset,
          "a progressive scan of coefficients \(start) to \(end), bits \(previousBit) to "
            + "\(bit), cannot exist")
      }
    }
    let needsDC = start == 0 && previousBit == 0
    let needsAC = end > 0
    var members: [JPEGScan.Member] = []
    for index in 0..<count {
      let id = body[1 + 2 * index]
      guard let component = frame.components.firstIndex(where: { $0.id == id }),
        !members.contains(where: { $0.component == component })
      else { throw JPEG.damage(offset, "a scan names component \(id), absent or repeated") }
      let (dcIndex, acIndex) = (Int(body[2 + 2 * index] >> 4), Int(body[2 + 2 * index] & 15))
      let dc = dcIndex < 4 ? dcTables[dcIndex] : nil
      let ac = acIndex < 4 ? acTables[acIndex] : nil
      guard !needsDC || dc != nil, !needsAC || ac != nil else {
        throw JPEG.damage(
          offset, "Huffman table \(dcIndex) (DC) or \(acIndex) (AC) of a scan is missing")
      }
      members.append(JPEGScan.Member(component: component, dc: dc, ac: ac))
    }
    let blocks = members.reduce(0) {
      $0 + frame.components[$1.component].horizontal * frame.components[$1.component].vertical
    }
    guard count == 1 || blocks <= 10 else {
      throw JPEG.damage(offset, "\(blocks) blocks per coded unit; at most 10 may be interleaved")
    }
    return JPEGScan(
      members: members, spectralStart: start, spectralEnd: end, previousBit: previousBit,
      bit: bit, isProgressive: isProgressive)
  }

  /// Decodes the entropy-coded data after a scan header, one restart interval at a time.
  ///
  /// Damage is confined to its interval: decoding goes on after the next restart marker.
  private mutating func decodeIntervals(
    _ scan: inout JPEGScan, _ frame: inout JPEGFrame
  ) throws(ImagingError) {
    let total = scan.unitCount(in: frame)
    let interval = restartInterval > 0 ? restartInterval : total
    var first = 0
    var expectedMarker = 0
    var problems = 0
    while first < total {
      let start = position
      let end = endOfEntropyData()
      var reader = JPEGBitReader(bytes[start..<end])
      let units = first..<min(first + interval, total)
      if let problem = scan.decode(units: units, from: &reader, into: &frame) {
        problems += 1
        // One warning per scan is enough; a broken file has thousands.
        if problems == 1 { try tolerate(start, "in the scan data, \(problem)") }
      }
      position = end
      first = units.upperBound
      if first == total { break }
      guard end + 1 < bytes.count, (0xD0...0xD7).contains(bytes[end + 1]) else {
        if problems == 0 {
          try tolerate(end, "a restart marker is missing after \(first) of \(total) coded units")
        }
        return
      }
      // A marker ahead of its turn means that whole intervals are lost.
      let found = Int(bytes[end + 1] & 7)
      let lost = (found - expectedMarker) & 7
      if lost > 0 {
        if problems == 0 { try tolerate(end, "restart marker \(found) out of turn") }
        problems += 1
        if lost < 4 { first += min(lost * interval, total - first) }
      }
      expectedMarker = (found + 1) & 7
      position = end + 2
    }
  }

  /// Offset of the next marker after `position`, or the end of the file.
  private func endOfEntropyData() -> Int {
    var index = position
    while index + 1 < bytes.count {
      if bytes[index] == 0xFF, bytes[index + 1] != 0, bytes[index + 1] != 0xFF { return index }
      index += 1
    }
    return bytes.count
  }
}
