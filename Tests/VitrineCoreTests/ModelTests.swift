import Testing
import VitrineCore
import VitrineTensor

@Suite("Models, their sites and inputs")
struct ModelTests {
  private var model: FixedModel {
    var model = FixedModel(logits: Tensor([0] as [Float]))
    model.layers = [
      Layer(name: "conv", kind: "Conv", aliases: ["conv_out"], dimensions: [1, 8, 4, 4]),
      Layer(name: "x", kind: "Identity", dimensions: [1, 2]),
      Layer(name: "fc", kind: "Gemm", aliases: ["y", "conv"], dimensions: [1, 2]),
    ]
    return model
  }

  @Test("a name means a layer before an output or input, and an alias last")
  func siteByName() {
    #expect(model.site(named: "conv") == .layer("conv"))
    #expect(model.site(named: "conv_out") == .layer("conv_out"))
    #expect(model.site(named: "x") == .layer("x"))
    #expect(model.site(named: "y") == .output("y"))
    #expect(model.site(named: "nothing") == .layer("nothing"))
    #expect(FixedModel(logits: model.logits).site(named: "x") == .input("x"))
  }

  @Test("a layer is found by name before alias")
  func layerByName() {
    #expect(model.layer(named: "conv")?.kind == "Conv")
    #expect(model.layer(named: "conv_out")?.name == "conv")
    #expect(model.layer(named: "y")?.name == "fc")
    #expect(model.layer(named: "nothing") == nil)
  }

  @Test("spatial layers have four axes and more than one position")
  func spatialLayers() {
    #expect(Layer(name: "a", kind: "Conv", dimensions: [1, 8, 4, 4]).isSpatial)
    #expect(Layer(name: "a", kind: "Conv", dimensions: [nil, 8, 1, 2]).isSpatial)
    for dimensions in [[1, 8, 1, 1], [1, 8], [], [1, 8, nil, 4]] as [[Int?]] {
      #expect(!Layer(name: "a", kind: "Conv", dimensions: dimensions).isSpatial)
    }
  }

  @Test("one tensor is bound to the only input")
  func bindingOneInput() throws {
    let tensor = Tensor([1, 2] as [Float])
    #expect(try Inputs(tensor, for: model)["x"] == tensor)
    var two = model
    two.inputs += [Port(name: "mask", dataType: .int64, dimensions: [nil], axes: [.batch])]
    let error = #expect(throws: CoreError.self) { try Inputs(tensor, for: two) }
    #expect(error?.description == "the model has 2 inputs (x, mask), found 1")
  }

  @Test("replacing an input keeps the order, and adds what is new")
  func replacing() {
    let inputs = Inputs([("a", Tensor([1] as [Float])), ("b", Tensor([2] as [Float]))])
    let replaced = inputs.replacing("a", with: Tensor([3] as [Float]))
    #expect(replaced.tensors.map(\.name) == ["a", "b"])
    #expect(replaced["a"] == Tensor([3] as [Float]) && inputs["a"] == Tensor([1] as [Float]))
    #expect(inputs.replacing("c", with: Tensor([4] as [Float])).tensors.map(\.name).last == "c")
    #expect(inputs["c"] == nil)
  }

  @Test("a port is described as people write shapes")
  func portDescription() {
    let port = Port(
      name: "x", dataType: .float32, dimensions: [nil, 3, nil, 224],
      axes: [.batch, .channel, .height, .width])
    #expect(port.shapeDescription == "[N, 3, ?, 224]")
    #expect(port.batchAxis == 0)
  }
}

@Suite("Real inputs")
struct RealInputsTests {
  private func model(_ types: [DataType]) -> FixedModel {
    var model = FixedModel(logits: Tensor([0] as [Float]))
    model.inputs = types.enumerated().map { index, type in
      Port(name: "in\(index)", dataType: type, dimensions: [nil, 2], axes: [.batch, .feature])
    }
    return model
  }

  @Test("inputs of integers are left out with a warning")
  func integersAreLeftOut() throws {
    let real = try model([.float32, .int64, .float64]).realInputs()
    #expect(real.sites == [.input("in0"), .input("in2")])
    #expect(
      real.warnings == ["Input 'in1' holds int64 numbers and has no gradient: it is left out."])
    #expect(throws: CoreError.self) { try model([.int64, .bool]).realInputs() }
  }

  @Test("attributions are named and get the axes of their port")
  func attributions() throws {
    let tensor = Tensor(zeros: try Shape([1, 2]))
    let one = try model([.float32]).realInputs().attributions(of: [tensor], range: .signed)
    #expect(one.map(\.name) == ["attribution"] && one[0].axes == [.batch, .feature])
    let two = try model([.float32, .float32]).realInputs()
    #expect(
      try two.attributions(of: [tensor, tensor], range: .signed).map(\.name) == ["in0", "in1"])
    let rows = Tensor(zeros: try Shape([1, 5, 2]))
    #expect(
      try two.attributions(of: [rows, rows], rowAxis: .output, range: .signed)[1].axes
        == [.batch, .output, .feature])
  }

  @Test("tensors that do not fit, or are not finite, are refused")
  func refusals() throws {
    let real = try model([.float32]).realInputs()
    #expect(throws: CoreError.self) { try real.attributions(of: [], range: .signed) }
    #expect(throws: CoreError.self) {
      try real.attributions(of: [Tensor([1] as [Float])], range: .signed)
    }
    for bad in [Float.nan, .infinity, -.infinity] {
      let tensor = try Tensor([0, bad], shape: [1, 2])
      #expect(throws: CoreError.notFinite("the attribution of input 'in0'")) {
        try real.attributions(of: [tensor], range: .signed)
      }
    }
  }

  @Test("finiteness looks at every type of element")
  func finiteness() throws {
    try Tensor([1, -.greatestFiniteMagnitude] as [Double]).requireFinite("x")
    try Tensor([1, 0] as [Int64]).requireFinite("x")
    try Tensor([true]).requireFinite("x")
    #expect(throws: CoreError.notFinite("x")) {
      try Tensor([1, .nan] as [Double]).requireFinite("x")
    }
  }
}
