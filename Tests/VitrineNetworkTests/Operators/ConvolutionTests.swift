import Testing
import VitrineNetwork
import VitrineTensor

@Suite("Convolution")
struct ConvolutionTests {
  @Test("outputs are those of onnxruntime", arguments: convolutions)
  func reference(_ example: FormulaCase) throws {
    try example.check(with: Convolutions.operators)
  }

  @Test("the pullback is the derivative, over all attributes")
  func pullback() throws {
    var numbers = RandomNumbers(seed: 1)
    let cases: [(input: [Int], weight: [Int], attributes: [String: Graph.Attribute])] = [
      ([2, 3, 8], [4, 3, 3], ["pads": .integers([1, 1])]),
      ([1, 2, 9], [2, 2, 2], ["strides": .integers([3]), "dilations": .integers([4])]),
      ([2, 2, 5, 4], [3, 2, 3, 3], ["pads": .integers([1, 1, 1, 1])]),
      (
        [1, 2, 6, 7], [3, 2, 3, 2],
        ["strides": .integers([2, 3]), "pads": .integers([2, 0, 1, 1])]
      ),
      (
        [1, 4, 5, 5], [6, 2, 3, 3], ["group": .integer(2), "dilations": .integers([1, 2])]
      ),
      ([1, 3, 5, 6], [6, 1, 3, 3], ["group": .integer(3), "strides": .integers([2, 2])]),
      ([2, 5, 3, 2], [3, 5, 1, 1], [:]),
      ([1, 2, 4, 4], [2, 2, 1, 1], ["strides": .integers([2, 3])]),
      ([1, 2, 5, 6], [2, 2, 2, 5], ["auto_pad": .string("SAME_LOWER")]),
      ([1, 2, 3, 4, 3], [2, 2, 2, 2, 2], ["strides": .integers([1, 2, 1])]),
      (
        [1, 1, 2, 2], [1, 1, 2, 2],
        ["pads": .integers([3, 0, 0, 3]), "strides": .integers([4, 4])]
      ),
    ]
    for (input, weight, attributes) in cases {
      let inputs: [Tensor?] = [
        try numbers.uniform(input), try numbers.uniform(weight), try numbers.uniform([weight[0]]),
      ]
      for count in [2, 3] {
        let node = try Convolution(NodeReader("Conv", inputs: count, attributes))
        try PullbackCheck.run(node, inputs: Array(inputs[..<count]))
        try PullbackCheck.comparePrecisions(node, inputs: Array(inputs[..<count]))
      }
    }
  }

  @Test("rows longer than a block and scratch space give the sums of the definition")
  func blocks() throws {
    var numbers = RandomNumbers(seed: 2)
    // Two blocks of 512 along the row, contiguous and strided.
    for stride in [1, 2] {
      let (length, kernel) = (1300, 3)
      let x = try numbers.uniform([1, 2, length])
      let w = try numbers.uniform([2, 2, kernel])
      let node = try Convolution(
        NodeReader("Conv", inputs: 2, ["strides": .integers([Int64(stride)])]))
      let output = try #require(try node.evaluate([x, w], Double.self).first)
      let (xs, ws) = (try x.elements(of: Double.self), try w.elements(of: Double.self))
      var expected: [Double] = []
      for channel in 0..<2 {
        for o in 0..<(length - kernel) / stride + 1 {
          var sum = 0.0
          for c in 0..<2 {
            for t in 0..<kernel {
              sum += ws[(channel * 2 + c) * kernel + t] * xs[c * length + o * stride + t]
            }
          }
          expected.append(sum)
        }
      }
      let elements = try output.elements(of: Double.self)
      #expect(PullbackCheck.relativeDistance(elements, to: expected) < 1e-15)

      // `<g, conv(x)>` is linear in `x`, so it equals `<pullback(g), x>`.
      let g = try numbers.uniform(output.shape.dimensions)
      let point = Point(inputs: [x, w], outputs: [output], wanted: [true, true])
      let pulled = try node.pullback([g], at: point, Double.self)
      let right = zip(try g.elements(of: Double.self), elements).reduce(0) { $0 + $1.0 * $1.1 }
      for (gradient, input) in zip(pulled, [xs, ws]) {
        let gradient = try #require(gradient).elements(of: Double.self)
        let left = zip(gradient, input).reduce(0) { $0 + $1.0 * $1.1 }
        #expect(abs(left - right) < 1e-12)
      }
    }
  }

  @Test("windows are resolved for whoever plans kernels")
  func windows() throws {
    let node = try Convolution(
      NodeReader(
        "Conv", inputs: 2,
        [
          "auto_pad": .string("SAME_LOWER"), "strides": .integers([2, 3]),
          "dilations": .integers([1, 2]), "group": .integer(2),
        ]))
    let windows = try node.windows(
      input: Shape([1, 4, 10, 10]), weight: Shape([6, 2, 3, 3]))
    // (5 - 1) · 2 + 3 - 10 = 1 and (4 - 1) · 3 + 5 - 10 = 4 positions of padding.
    #expect(
      windows == [
        Window(
          input: 10, kernel: 3, stride: 2, dilation: 1, padBefore: 1, padAfter: 0, output: 5),
        Window(
          input: 10, kernel: 3, stride: 3, dilation: 2, padBefore: 2, padAfter: 2, output: 4),
      ])
    #expect(node.groups == 2)
  }

  @Test("nodes that make no sense are refused with what was expected and found")
  func refusals() throws {
    func reason(
      _ attributes: [String: Graph.Attribute], _ shapes: [[Int]] = [[1, 4, 5, 5], [6, 4, 3, 3]]
    ) throws -> String? {
      do {
        let node = try Convolution(NodeReader("Conv", inputs: shapes.count, attributes))
        _ = try node.infer(try shapes.map { ValueType(try Shape($0), .float32) })
        return nil
      } catch let error as OperatorError { return error.reason }
    }
    #expect(try reason([:]) == nil)
    #expect(try reason(["group": .integer(0)]) == "group: expected at least 1, found 0")
    #expect(
      try reason(["group": .integer(3)])
        == "expected a weight for 4 input channels in 3 groups, found [6, 4, 3, 3]")
    #expect(
      try reason(["strides": .integers([0, 1])])
        == "strides: expected values from 1 to 2147483647, found 0")
    #expect(
      try reason(["pads": .integers([0, 0, -1, 0])])
        == "pads: expected values from 0 to 2147483647, found -1")
    #expect(
      try reason(["dilations": .integers([1])])
        == "dilations: expected 2 values for 2 spatial axes, found 1")
    #expect(
      try reason(["kernel_shape": .integers([3, 2])])
        == "kernel_shape differs from that of the weight [6, 4, 3, 3]")
    #expect(
      try reason([:], [[1, 4, 2, 5], [6, 4, 3, 3]])
        == "spatial axis 0: a kernel of extent 3 does not fit into 0 + 2 + 0 positions")
    #expect(
      try reason([:], [[1, 4, 5, 5], [6, 4, 3, 3], [5]])
        == "expected a bias of shape [6], found [5]")
    #expect(
      try reason(
        ["pads": .integers([2_000_000_000, 2_000_000_000, 0, 0])],
        [
          [1 << 20, 1, 5, 5], [6, 1, 3, 3],
        ])?.hasPrefix("shape [1048576, 6, 2000000003, 2000000003] is not valid") == true)
  }

  @Test("hostile attributes and shapes are refused or computed, never trapped on")
  func hostile() throws {
    try AttributeSweep.run(
      Convolution.self, "Conv",
      attributes: [
        "auto_pad": .string("NOTSET"), "dilations": .integers([1, 1]), "group": .integer(1),
        "kernel_shape": .integers([3, 3]), "pads": .integers([1, 1, 1, 1]),
        "strides": .integers([1, 1]), "ceil_mode": .integer(0),
      ], inputs: [[1, 2, 5, 5], [3, 2, 3, 3], [3]])
    for automatic in ["SAME_UPPER", "SAME_LOWER", "VALID"] {
      try AttributeSweep.run(
        Convolution.self, "Conv",
        attributes: [
          "auto_pad": .string(automatic), "dilations": .integers([1]), "strides": .integers([1]),
        ], inputs: [[1, 1, 5], [1, 1, 3]])
      guard automatic != "VALID" else { continue }
      let huge = [Int64](repeating: Int64(Int32.max), count: 3)
      for (strides, dilations) in [(huge, [1, 1, 1]), ([1, 1, 1], huge), (huge, huge)] {
        try AttributeSweep.run(
          Convolution.self, "Conv",
          attributes: [
            "auto_pad": .string(automatic), "dilations": .integers(dilations),
            "strides": .integers(strides),
          ], inputs: [[1, 1, 3, 2, 5], [1, 1, 2, 3, 3]])
      }
    }
  }
}

private let convolutions = [
  FormulaCase(
    "1-D with bias", "Conv", opset: 11, ["pads": .integers([1, 1])],
    inputs: [[2, 3, 7], [2, 3, 3], [2]], shape: [2, 2, 7],
    output: """
      0.8378906 -0.6716309 -1.105225 -1.822266 0.956543 -0.8942871 -1.466309 -1.803711 -1.102783
      -0.1000977 1.658447 -1.212646 -0.5878906 0.784668 0.7697754 -0.7067871 -1.140381 -1.857422
      0.9213867 -0.9294434 -1.508057 -1.731201 -1.021484 -0.01879883 1.739746 -1.131348 -0.5065918
      0.8835449
      """),
  FormulaCase(
    "1-D with a stride, a dilation and uneven pads", "Conv", opset: 7,
    ["strides": .integers([2]), "dilations": .integers([2]), "pads": .integers([2, 1])],
    inputs: [[1, 2, 9], [3, 2, 3]], shape: [1, 3, 4],
    output: """
      0.1777344 1.101318 -0.6953125 1.003906 1.288818 -1.403564 0.9599609 -1.306152 -1.3479
      0.7526855 -0.8491211 1.044922
      """),
  FormulaCase(
    "2-D with stride 2", "Conv", opset: 11,
    ["strides": .integers([2, 2]), "pads": .integers([1, 1, 1, 1])],
    inputs: [[1, 2, 6, 7], [2, 2, 3, 3], [2]], shape: [1, 2, 3, 4],
    output: """
      -0.1818848 -1.221924 0.7036133 -0.9055176 -0.7412109 -0.9492188 0 -0.3867188 -0.7382812
      -0.918457 0.03076172 -0.3486328 -0.6965332 -0.6635742 -0.07470703 0.4987793 -0.2927246
      -0.4985352 0.4770508 0.2001953 -0.2927246 -0.472168 0.503418 0.2353516
      """),
  FormulaCase(
    "two groups", "Conv", opset: 11, ["group": .integer(2)],
    inputs: [[1, 4, 4, 4], [4, 2, 3, 3], [4]], shape: [1, 4, 2, 2],
    output: """
      -0.4350586 -1.03125 -1.087646 -0.4555664 -0.3637695 -0.2854004 1.020508 -1.735596 3.141113
      -3.003174 0.4838867 -2.196045 -4.17627 1.376953 -0.6708984 0.2211914
      """),
  FormulaCase(
    "depthwise with a multiplier", "Conv", opset: 22,
    ["group": .integer(3), "pads": .integers([1, 0, 1, 1]), "strides": .integers([2, 2])],
    inputs: [[1, 3, 4, 5], [6, 1, 3, 2]], shape: [1, 6, 2, 3],
    output: """
      -0.6228027 1.220703 -0.3220215 -0.1704102 0.8674316 -0.4104004 -0.2595215 -0.4821777
      0.3232422 -1.315186 0.9538574 0.2480469 -0.4865723 -0.4448242 -0.751709 -1.093262 0.8007812
      -0.657959 1.166504 -0.8579102 0.5856934 -0.09863281 -0.4377441 0.6450195 -0.1672363
      -0.3840332 0.7053223 0.967041 -0.4399414 -1.508301 1.106445 -0.04272461 -0.7294922 0.9516602
      -0.3579102 0.2502441
      """),
  FormulaCase(
    "dilations differ by axis", "Conv", opset: 11,
    ["dilations": .integers([2, 3]), "pads": .integers([1, 2, 0, 1])],
    inputs: [[1, 1, 7, 8], [1, 1, 3, 2]], shape: [1, 1, 4, 8],
    output: """
      0.125 0.6760254 -1.147949 0.2619629 0.6955566 -1.358887 0.1455078 0.3447266 0.7963867
      -0.6237793 0.9182129 1.232422 -1.445312 -0.564209 1.324707 -0.3337402 -0.612793 -0.3007812
      1.227295 -1.450439 -0.5693359 1.31958 0.4685059 -0.9460449 -0.2897949 0.6206055 -1.455566
      -0.5744629 1.314453 0.4633789 -1.552979 1.181641
      """),
  FormulaCase(
    "SAME_UPPER", "Conv", opset: 11,
    ["auto_pad": .string("SAME_UPPER"), "strides": .integers([2, 2])],
    inputs: [[1, 1, 5, 6], [1, 1, 2, 3]], shape: [1, 1, 3, 3],
    output: """
      1.899414 -0.9680176 1.658447 -0.8808594 1.88916 -0.7944336 -0.5085449 -0.3679199 0.8662109
      """),
  FormulaCase(
    "SAME_LOWER", "Conv", opset: 11,
    ["auto_pad": .string("SAME_LOWER"), "strides": .integers([2, 3])],
    inputs: [[1, 1, 5, 6], [1, 1, 2, 4]], shape: [1, 1, 3, 2],
    output: """
      -0.4375 -0.3864746 0.2705078 -0.09204102 0.2661133 -0.3308105
      """),
  FormulaCase(
    "VALID", "Conv", opset: 11, ["auto_pad": .string("VALID"), "strides": .integers([2, 2])],
    inputs: [[1, 1, 5, 6], [1, 1, 2, 3]], shape: [1, 1, 2, 2],
    output: """
      1.899414 -0.9680176 -0.8808594 1.88916
      """),
  FormulaCase(
    "1x1 over a batch", "Conv", opset: 11, ["kernel_shape": .integers([1, 1])],
    inputs: [[2, 5, 2, 3], [3, 5, 1, 1], [3]], shape: [2, 3, 2, 3],
    output: """
      -1.001221 0.3566895 -0.5214844 -2.564941 -0.04174805 0.2453613 0.6730957 -1.297607 0.3220215
      0.7763672 -0.02905273 -1.306885 -1.715332 1.11084 1.165527 0.05493164 -0.01635742 1.203613
      -0.5449219 -2.588379 -0.06518555 0.2219238 -0.65625 -1.030518 0.3200684 0.7744141
      -0.03100586 -1.308838 0.310791 0.6706543 1.185059 0.07446289 0.003173828 1.223145 1.277832
      -1.690918
      """),
  FormulaCase(
    "3-D", "Conv", opset: 11,
    ["pads": .integers([1, 0, 0, 0, 1, 0]), "strides": .integers([1, 2, 1])],
    inputs: [[1, 2, 3, 4, 3], [2, 2, 2, 2, 2], [2]], shape: [1, 2, 3, 2, 2],
    output: """
      1.522461 -0.3063965 -2.238525 1.50708 -1.758789 -2.380371 1.723877 -1.763672 0.07299805
      1.718994 -2.081787 0.06811523 -0.8879395 -0.2165527 1.723145 -0.8808594 -1.405273 2.249268
      -2.153809 -1.365234 2.483154 -2.11377 -1.509277 2.523193
      """),
  FormulaCase(
    "pads larger than the kernel", "Conv", opset: 11,
    ["pads": .integers([3, 0, 0, 3]), "strides": .integers([2, 1])],
    inputs: [[1, 1, 2, 2], [1, 1, 2, 2]], shape: [1, 1, 2, 4],
    output: """
      0 0 0 0 -0.7104492 -0.1384277 0 0
      """),
]
