import Testing
import VitrineNetwork
import VitrineONNX
import VitrineTensor

@Suite("Tensors in ONNX files")
struct TensorDecodingTests {
  private func read(_ bytes: [UInt8]) throws -> Tensor {
    try #require(try ONNX.graph(bytes: bytes, folder: nil).constants["w"])
  }

  private func littleEndian<T: FixedWidthInteger>(_ values: [T]) -> [UInt8] {
    values.flatMap { value in withUnsafeBytes(of: value.littleEndian, Array.init) }
  }

  // MARK: - Raw data

  @Test("raw integers of every width are widened to int64")
  func rawIntegers() throws {
    let cases: [(Int64, [UInt8], [Int64])] = [
      (2, [0, 255], [0, 255]),
      (3, [0x80, 0x7f], [-128, 127]),
      (4, littleEndian([1, 0xffff] as [UInt16]), [1, 65535]),
      (5, littleEndian([-32768, 32767] as [Int16]), [-32768, 32767]),
      (6, littleEndian([Int32.min, .max]), [-2_147_483_648, 2_147_483_647]),
      (7, littleEndian([Int64.min, .max]), [.min, .max]),
      (12, littleEndian([0, UInt32.max]), [0, 4_294_967_295]),
      (13, littleEndian([0, UInt64(Int64.max)]), [0, .max]),
    ]
    for (type, raw, expected) in cases {
      let tensor = try read(ModelBytes.initializer(type: type, dimensions: [2], raw: raw))
      #expect(try tensor.elements(of: Int64.self) == expected, "type \(type)")
    }
  }

  @Test("raw real numbers keep their value")
  func rawReals() throws {
    let single: [Float] = [1.5, -0.0, .leastNonzeroMagnitude]
    let floats = try read(
      ModelBytes.initializer(type: 1, dimensions: [3], raw: littleEndian(single.map(\.bitPattern))))
    #expect(try floats.elements(of: Float.self).map(\.bitPattern) == single.map(\.bitPattern))

    let double = [Double.pi, -1e300]
    let doubles = try read(
      ModelBytes.initializer(
        type: 11, dimensions: [2], raw: littleEndian(double.map(\.bitPattern))))
    #expect(try doubles.elements(of: Double.self) == double)

    // 1, -2, 65504 and the smallest subnormal, 2^-24, in binary16.
    let halves = try read(
      ModelBytes.initializer(
        type: 10, dimensions: [4], raw: littleEndian([0x3c00, 0xc000, 0x7bff, 0x0001] as [UInt16]))
    )
    #expect(try halves.elements(of: Float.self) == [1, -2, 65504, 0x1p-24])

    let brains = try read(
      ModelBytes.initializer(
        type: 16, dimensions: [3], raw: littleEndian([0x3f80, 0xc040, 0xff80] as [UInt16])))
    #expect(try brains.elements(of: Float.self) == [1, -3, -.infinity])
  }

  @Test("all 65,536 halves are widened as IEEE 754 defines them")
  func everyHalf() throws {
    let bits = Array(UInt16.min...UInt16.max)
    let tensor = try read(
      ModelBytes.initializer(type: 10, dimensions: [65536], raw: littleEndian(bits)))
    var wrong = 0
    for (half, widened) in zip(bits, try tensor.elements(of: Float.self)) {
      let exponent = Int(half >> 10 & 0x1f)
      let fraction = Double(half & 0x3ff)
      let magnitude: Double =
        switch exponent {
        case 0: fraction * 0x1p-24
        case 31: fraction == 0 ? .infinity : .nan
        default: (1024 + fraction) * Double(sign: .plus, exponent: exponent - 25, significand: 1)
        }
      let isEqual = magnitude.isNaN ? widened.isNaN : Double(widened.magnitude) == magnitude
      if !isEqual || (widened.sign == .minus) != (half & 0x8000 != 0) { wrong += 1 }
    }
    #expect(wrong == 0)
  }

  @Test("any byte but zero is true")
  func rawBooleans() throws {
    let tensor = try read(ModelBytes.initializer(type: 9, dimensions: [3], raw: [0, 1, 0xfe]))
    #expect(try tensor.elements(of: Bool.self) == [false, true, true])
    #expect(tensor.withBytes { Array($0) } == [0, 1, 1])
  }

  // MARK: - Typed data

  @Test("elements in typed fields are read, packed or not")
  func typedFields() throws {
    let floats = try read(
      ModelBytes.initializer { tensor in
        tensor.integers(1, [3])
        tensor.integer(2, 1)
        tensor.float(4, 0.5)
        tensor.floats(4, [1, -2])
      })
    #expect(try floats.elements(of: Float.self) == [0.5, 1, -2])

    let doubles = try read(
      ModelBytes.initializer { tensor in
        tensor.doubles(10, [0.1, 7])
        tensor.integer(2, 11)
        tensor.integers(1, [2])
      })
    #expect(try doubles.elements(of: Double.self) == [0.1, 7])

    let int32Cases: [(Int64, [Int64], [Int64])] = [
      (2, [0, 255], [0, 255]), (3, [-128, 127], [-128, 127]), (4, [65535], [65535]),
      (5, [-32768], [-32768]), (6, [-2_147_483_648, 5], [-2_147_483_648, 5]),
    ]
    for (type, stored, expected) in int32Cases {
      let tensor = try read(
        ModelBytes.initializer { tensor in
          tensor.integers(1, [Int64(stored.count)])
          tensor.integer(2, type)
          tensor.integers(5, stored)
        })
      #expect(try tensor.elements(of: Int64.self) == expected, "type \(type)")
    }

    let wide = try read(
      ModelBytes.initializer { tensor in
        tensor.integer(1, 2)
        tensor.integer(2, 7)
        tensor.integer(7, Int64.min)
        tensor.integer(7, -1)
      })
    #expect(try wide.elements(of: Int64.self) == [.min, -1])

    let unsigned = try read(
      ModelBytes.initializer { tensor in
        tensor.integer(2, 12)
        tensor.integers(11, [4_294_967_295])
      })
    #expect(unsigned.shape.dimensions == [])
    #expect(try unsigned.elements(of: Int64.self) == [4_294_967_295])

    let booleans = try read(
      ModelBytes.initializer { tensor in
        tensor.integers(1, [2])
        tensor.integer(2, 9)
        tensor.integers(5, [1, 0])
      })
    #expect(try booleans.elements(of: Bool.self) == [true, false])

    for (type, bits) in [(10, [0x3c00, 0xc000]), (16, [0x3f80, 0xc000])] as [(Int64, [Int64])] {
      let halves = try read(
        ModelBytes.initializer { tensor in
          tensor.integers(1, [2])
          tensor.integer(2, type)
          tensor.integers(5, bits)
        })
      #expect(try halves.elements(of: Float.self) == [1, -2], "type \(type)")
    }
  }

  @Test("elements that do not fit their type are refused")
  func typedElementsOutOfRange() {
    let cases: [(type: Int64, field: Int, value: Int64)] = [
      (2, 5, 256), (2, 5, -1), (3, 5, 128), (4, 5, 65536), (5, 5, -32769), (9, 5, 2),
      (10, 5, 65536), (12, 11, 1 << 32), (13, 11, -1),
    ]
    for (type, field, value) in cases {
      let error = failure(
        ModelBytes.initializer { tensor in
          tensor.integer(2, type)
          tensor.integer(field, value)
        })
      #expect(error?.isMalformed == true, "type \(type): \(String(describing: error))")
    }
    let largest = failure(
      ModelBytes.initializer(
        type: 13, dimensions: [1], raw: [UInt8](repeating: 0xff, count: 8)))
    #expect(largest?.isUnsupported == true)
    #expect(largest?.mentions("18446744073709551615") == true)
  }

  // MARK: - Shapes and sizes

  @Test("shapes that contradict the data are refused with both numbers, before memory is taken")
  func shapesAndSizes() throws {
    let cases: [(dimensions: [Int64], bytes: Int, mentioned: String)] = [
      ([4, 1_000_000_000], 16, "16000000000"), ([1 << 33, 1 << 33], 16, "fit in memory"),
      ([-1], 4, "[-1]"), ([4, 4], 60, "60"), ([4, 4], 65, "65"), ([], 8, "8"),
      ([Int64.min, 2], 8, "negative"), ([0, -1], 0, "negative"), ([1 << 59], 4, "fit in memory"),
    ]
    for (dimensions, count, mentioned) in cases {
      let error = failure(
        ModelBytes.initializer(
          type: 1, dimensions: dimensions, raw: [UInt8](repeating: 0, count: count)))
      #expect(error?.isMalformed == true, "\(dimensions)")
      #expect(error?.mentions(mentioned) == true, "\(String(describing: error))")
    }
    let typed = failure(
      ModelBytes.initializer { tensor in
        tensor.integers(1, [1_000_000_000, 4])
        tensor.integer(2, 1)
        tensor.floats(4, [1, 2])
      },
      limits: {
        var limits = ONNXLimits()
        limits.constantBytes = .max
        return limits
      }())
    #expect(typed?.mentions("needs 4000000000 elements, found 2") == true)
  }

  @Test("tensors without elements need no data")
  func emptyTensors() throws {
    let raw = try read(ModelBytes.initializer(type: 1, dimensions: [0, 3], raw: []))
    #expect(raw.shape.dimensions == [0, 3])
    let none = try read(
      ModelBytes.initializer { tensor in
        tensor.integers(1, [2, 0])
        tensor.integer(2, 7)
      })
    #expect(none.shape.dimensions == [2, 0] && none.dataType == .int64)
  }

  @Test("the limits on rank and on the bytes of all constants hold")
  func limits() {
    let deep = ModelBytes.initializer(
      type: 1, dimensions: [Int64](repeating: 1, count: 1000), raw: [0, 0, 0, 0])
    #expect(failure(deep) == .limitExceeded(name: "rank", found: 33, limit: 32))

    var limits = ONNXLimits()
    limits.constantBytes = 15
    let widened = ModelBytes.initializer(type: 2, dimensions: [2], raw: [1, 2])
    #expect(
      failure(widened, limits: limits)
        == .limitExceeded(name: "constantBytes", found: 16, limit: 15))
    limits.constantBytes = 16
    #expect(failure(widened, limits: limits) == nil)
  }

  @Test("element types without numbers of ours are refused by name")
  func unsupportedTypes() {
    let names: [(Int64, String)] = [
      (8, "string"), (14, "complex64"), (15, "complex128"), (17, "float8e4m3fn"),
      (20, "float8e5m2fnuz"), (21, "uint4"), (22, "int4"), (23, "float4e2m1"), (26, "int2"),
    ]
    for (type, name) in names {
      let error = failure(ModelBytes.initializer(type: type, dimensions: [1], raw: [0]))
      #expect(error?.isUnsupported == true && error?.mentions("type \(name);") == true)
    }
    for type: Int64 in [0, 99, -1] {
      let error = failure(ModelBytes.initializer(type: type, dimensions: [1], raw: [0]))
      #expect(error?.isMalformed == true && error?.mentions("type \(type)") == true)
    }
  }

  @Test("data in two places, in the wrong place or in segments is refused")
  func contradictoryData() {
    let twice = failure(
      ModelBytes.initializer { tensor in
        tensor.integer(2, 1)
        tensor.float(4, 1)
        tensor.data(9, [0, 0, 0, 0])
      })
    #expect(twice?.mentions("twice") == true)
    let elsewhere = failure(
      ModelBytes.initializer { tensor in
        tensor.integer(2, 1)
        tensor.integer(7, 1)
      })
    #expect(elsewhere?.mentions("field for another type") == true)
    let segment = failure(ModelBytes.initializer { $0.message(3) { $0.integer(1, 0) } })
    #expect(segment?.isUnsupported == true)
  }
}
