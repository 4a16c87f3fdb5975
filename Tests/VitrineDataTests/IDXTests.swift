import Testing
import VitrineData
import VitrineTensor
import VitrineTestSupport

@Suite("IDX files")
struct IDXTests {
  /// Two rows of three signed 16-bit numbers.
  private let small: [UInt8] =
    [0, 0, 0x0B, 2, 0, 0, 0, 2, 0, 0, 0, 3]
    + [0, 1, 0xFF, 0xFF, 1, 0, 0x80, 0, 0x7F, 0xFF, 0, 0]

  @Test("big-endian elements of any type become tensors")
  func elements() throws {
    let tensor = try IDX.tensor(small)
    #expect(tensor.shape.dimensions == [2, 3])
    #expect(try tensor.elements(of: Int64.self) == [1, -1, 256, -32768, 32767, 0])
    let real: [UInt8] = [0, 0, 0x0D, 1, 0, 0, 0, 1, 0x3F, 0xC0, 0, 0]
    #expect(try IDX.tensor(real).elements(of: Float.self) == [1.5])
    let double: [UInt8] = [0, 0, 0x0E, 1, 0, 0, 0, 1, 0xC0, 0x09, 0, 0, 0, 0, 0, 0]
    #expect(try IDX.tensor(double).elements(of: Double.self) == [-3.125])
  }

  @Test("every prefix of a file, and a file with a byte too many, is refused")
  func truncated() {
    for count in small.indices {
      #expect(throws: DataError.self) { try IDX.tensor(Array(small[..<count])) }
    }
    #expect(throws: DataError.self) { try IDX.tensor(small + [0]) }
  }

  @Test("extents whose product overflows are refused before memory is reserved")
  func overflow() {
    let header: [UInt8] = [0, 0, 0x0E, 4] + [UInt8](repeating: 0xFF, count: 16)
    #expect(throws: DataError.self) { try IDX.tensor(header + [0, 0, 0, 0]) }
    #expect(throws: DataError.self) { try IDX.tensor([0, 0, 0x0A, 1, 0, 0, 0, 0]) }
  }

  @Test("two thousand digits of MNIST, as gzip files", .enabled(if: Fixtures.areAvailable))
  func digits() throws {
    let digits = try IDX.dataSet(
      pictures: Fixtures.path("data/mnist-t10k-0-1999-images-idx3-ubyte.gz"),
      labels: Fixtures.path("data/mnist-t10k-0-1999-labels-idx1-ubyte.gz"))
    #expect(digits.inputs.shape.dimensions == [2000, 1, 28, 28])
    // The first ten labels of the test set, as everybody knows them.
    #expect(
      try digits.targets.elements(of: Int64.self).prefix(10) == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9])
    let pixels = try digits.part(0..<1).inputs.elements(of: Float.self)
    #expect(pixels.min() == 0 && pixels.max() == 1)
  }
}
