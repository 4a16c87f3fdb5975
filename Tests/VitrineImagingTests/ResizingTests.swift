import Testing
import VitrineImaging

/// A size the reference picture (23 by 17) was resized to by Pillow 13, and the CRC-32 it gave.
struct ResizeCase: Sendable {
  let channels, width, height: Int
  let interpolation: Interpolation
  let crc: UInt32

  init(
    _ channels: Int, _ width: Int, _ height: Int, _ interpolation: Interpolation, _ crc: UInt32
  ) {
    self.channels = channels
    self.width = width
    self.height = height
    self.interpolation = interpolation
    self.crc = crc
  }

  static let all = [
    ResizeCase(1, 7, 5, .bilinear, 0x2025_D1D2),
    ResizeCase(1, 7, 5, .nearest, 0xD91A_9BD8),
    ResizeCase(1, 40, 31, .bilinear, 0x1558_EC5B),
    ResizeCase(1, 40, 31, .nearest, 0x9A87_4E77),
    ResizeCase(1, 23, 4, .bilinear, 0xF83E_89B6),
    ResizeCase(1, 23, 4, .nearest, 0x5035_2B89),
    ResizeCase(1, 9, 30, .bilinear, 0x72FE_F6E5),
    ResizeCase(1, 9, 30, .nearest, 0x9105_A13B),
    ResizeCase(1, 50, 3, .bilinear, 0x2AE8_99BA),
    ResizeCase(1, 50, 3, .nearest, 0x8E16_B9FA),
    ResizeCase(2, 7, 5, .bilinear, 0xBAB4_1F8B),
    ResizeCase(2, 7, 5, .nearest, 0x6A18_2C10),
    ResizeCase(2, 40, 31, .bilinear, 0x47A2_9769),
    ResizeCase(2, 40, 31, .nearest, 0xBDF1_BA40),
    ResizeCase(2, 23, 4, .bilinear, 0xE64E_1D00),
    ResizeCase(2, 23, 4, .nearest, 0x5F27_3EBB),
    ResizeCase(2, 9, 30, .bilinear, 0xDFB3_3A6D),
    ResizeCase(2, 9, 30, .nearest, 0xCF5B_0B82),
    ResizeCase(2, 50, 3, .bilinear, 0x6A24_719E),
    ResizeCase(2, 50, 3, .nearest, 0xF121_16B2),
    ResizeCase(3, 7, 5, .bilinear, 0x81ED_AEBE),
    ResizeCase(3, 7, 5, .nearest, 0xC4F6_1BFC),
    ResizeCase(3, 40, 31, .bilinear, 0x2C7C_D3B0),
    ResizeCase(3, 40, 31, .nearest, 0x4CD0_45C0),
    ResizeCase(3, 23, 4, .bilinear, 0x002C_4B39),
    ResizeCase(3, 23, 4, .nearest, 0x7985_D3B2),
    ResizeCase(3, 9, 30, .bilinear, 0x5E45_A2ED),
    ResizeCase(3, 9, 30, .nearest, 0xF46A_DFF8),
    ResizeCase(3, 50, 3, .bilinear, 0x89B8_F1D4),
    ResizeCase(3, 50, 3, .nearest, 0xB310_3FD0),
    ResizeCase(4, 7, 5, .bilinear, 0xB8DE_0F5E),
    ResizeCase(4, 7, 5, .nearest, 0xC605_FC9A),
    ResizeCase(4, 40, 31, .bilinear, 0x5877_47C5),
    ResizeCase(4, 40, 31, .nearest, 0x7320_957D),
    ResizeCase(4, 23, 4, .bilinear, 0xD0CD_0CC8),
    ResizeCase(4, 23, 4, .nearest, 0xB9BF_8880),
    ResizeCase(4, 9, 30, .bilinear, 0x961F_C6A7),
    ResizeCase(4, 9, 30, .nearest, 0xFE98_61C7),
    ResizeCase(4, 50, 3, .bilinear, 0xA296_60C8),
    ResizeCase(4, 50, 3, .nearest, 0xAEEF_B700),
  ]
}

@Suite("Resizing")
struct ResizingTests {
  @Test("every sample equals Pillow's", arguments: ResizeCase.all)
  func equalsPillow(_ example: ResizeCase) throws {
    let source = try Image.formula(width: 23, height: 17, channels: example.channels)
    let resized = try source.resized(
      width: example.width, height: example.height, interpolation: example.interpolation)
    #expect(resized.crc == example.crc)
  }

  @Test("a uniform picture stays uniform and the same size is the same picture")
  func laws() throws {
    let gray = try Image(width: 9, height: 4, color: .gray)
    for (width, height) in [(1, 1), (5, 9), (40, 3)] {
      #expect(try gray.resized(width: width, height: height).pixels.allSatisfy { $0 == 128 })
    }
    let picture = try Image.formula(width: 9, height: 4, channels: 3)
    #expect(try picture.resized(width: 9, height: 4) == picture)
  }

  @Test("the shorter side gets the length asked for and halves round to even")
  func shorterSide() throws {
    let picture = try Image(width: 500, height: 375, color: .white)
    let resized = try picture.resizedShorterSide(to: 256)
    #expect((resized.width, resized.height) == (341, 256))
    let half = try Image(width: 5, height: 2, color: .white).resizedShorterSide(to: 1)
    #expect((half.width, half.height) == (2, 1))
  }

  @Test("sizes out of range are errors", arguments: [(0, 4), (4, 0), (-1, 4), (65_536, 1)])
  func rangeErrors(_ width: Int, _ height: Int) throws {
    let picture = try Image(width: 2, height: 2, color: .white)
    #expect(throws: ImagingError.self) { try picture.resized(width: width, height: height) }
  }
}
