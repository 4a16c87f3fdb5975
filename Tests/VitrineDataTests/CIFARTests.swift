import Testing
import VitrineData
import VitrineTensor
import VitrineTestSupport

@Suite("CIFAR files")
struct CIFARTests {
  @Test("records are a label and three planes")
  func records() throws {
    var bytes = [UInt8](repeating: 0, count: 2 * 3073)
    bytes[0] = 9
    bytes[1] = 255
    bytes[3073] = 3
    bytes[2 * 3073 - 1] = 51
    let data = try CIFAR.dataSet(bytes)
    #expect(try data.targets.elements(of: Int64.self) == [9, 3])
    #expect(data.inputs.shape.dimensions == [2, 3, 32, 32])
    let pixels = try data.inputs.elements(of: Float.self)
    #expect(pixels.first == 1)
    #expect(pixels.last == Float(51) / 255)
  }

  @Test("the fine label of CIFAR-100 is the target")
  func fine() throws {
    var bytes = [UInt8](repeating: 0, count: 3074)
    bytes[0] = 19
    bytes[1] = 99
    #expect(try CIFAR.dataSet(bytes, .cifar100).targets.elements(of: Int64.self) == [99])
  }

  @Test("cut records and impossible classes are refused with their place")
  func damaged() {
    #expect(throws: DataError.self) { try CIFAR.dataSet([UInt8](repeating: 0, count: 3072)) }
    #expect(throws: DataError.self) { try CIFAR.dataSet([]) }
    var bytes = [UInt8](repeating: 0, count: 2 * 3073)
    bytes[3073] = 10
    #expect(
      throws: DataError.malformed(
        format: "CIFAR file", offset: 3073, reason: "expected a class below 10, found 10")
    ) { try CIFAR.dataSet(bytes) }
  }

  @Test("four hundred test photos, forty of each class", .enabled(if: Fixtures.areAvailable))
  func photos() throws {
    let photos = try CIFAR.dataSet(contentsOf: [Fixtures.path("data/cifar10_test_sample.bin")])
    let classes = try photos.targets.elements(of: Int64.self)
    #expect((0..<10).allSatisfy { label in classes.count { $0 == label } == 40 })
  }
}
