import Testing
import VitrineCore
import VitrineNetwork
import VitrineTensor
import VitrineTestSupport

@Suite("Minimal filtering in plans") struct WinogradTests {
  /// One convolution over maps of a size.
  private func network(
    _ size: Int, channels: Int = 32, kernel: [Int] = [3, 3], stride: Int64 = 1, dilation: Int64 = 1,
    groups: Int = 1,
    precision: Network.Precision
  ) throws -> Network {
    var draft = GraphDraft()
    let y = try draft.convolution(
      "x", from: channels, to: channels, kernel: kernel, stride: stride, dilation: dilation,
      groups: groups)
    return try Network(
      draft.graph(input: [nil, channels, size, size], output: y),
      configuration: .init(precision: precision, threads: 2))
  }

  private func output(_ network: Network, _ size: Int, channels: Int = 32) throws -> Tensor {
    let x = try Tensor.random([1, channels, size, size], seed: 5)
    let output = Site.output(network.signature.outputs[0].name)
    return try network.evaluate(Inputs(x, for: network), observing: [output])[0]
  }

  @Test(
    "only windows of 3 × 3 one pixel apart, on maps of nine tiles or, of few channels, four, lose the exact sums"
  )
  func choice() throws {
    // Below 512 inputs times taps, `exact` is the direct convolution.
    for (size, kernel, stride, dilation, groups, isFiltered): (Int, [Int], Int64, Int64, Int, Bool)
      in [
        (9, [3, 3], 1, 1, 1, true),
        (8, [3, 3], 1, 1, 1, true),
        (4, [3, 3], 1, 1, 1, false),
        (16, [3, 3], 2, 1, 1, false),
        (16, [3, 3], 1, 2, 1, false),
        (16, [3, 3], 1, 1, 2, false),
        (16, [1, 3], 1, 1, 1, false),
        (16, [4, 4], 1, 1, 1, false),
      ]
    {
      let single = try network(
        size, kernel: kernel, stride: stride, dilation: dilation, groups: groups, precision: .single
      )
      let exact = try network(
        size, kernel: kernel, stride: stride, dilation: dilation, groups: groups, precision: .exact)
      let (fast, slow) = (try output(single, size), try output(exact, size))
      #expect((fast != slow) == isFiltered)
      // Rounding of the transforms: some units in the last place.
      #expect(try relativeDistance(fast, slow) < 2e-6)
    }
  }

  @Test(
    "where one channel matters only its block is computed and read, and the bits are those of all",
    arguments: [14, 7], [3, 39, 75])
  func neededChannels(_ size: Int, _ channel: Int) throws {
    var draft = GraphDraft()
    let a = draft.node("Relu", [try draft.convolution("x", from: 32, to: 64)])
    let y = draft.node("Relu", [try draft.convolution(a, from: 64, to: 76)])
    let network = try Network(
      draft.graph(input: [nil, 32, size, size], output: y), configuration: .init(threads: 2))
    let x = try Tensor.random([2, 32, size, size], seed: 7)
    let site = Site.output(network.signature.outputs[0].name)
    let few = Objective(site, .channelMean(channel))
    let all = Objective(
      site, .cotangent(try few.cotangent(for: Shape([2, 76, size, size]), .float32)))
    for rules in [BackwardRules.gradient, .guided, .deconvnet] {
      func gradients(_ objective: Objective) throws -> Gradients {
        try network.gradients(
          of: objective, withRespectTo: [.input("x"), .layer(a)], at: Inputs([("x", x)]),
          rules: rules)
      }
      let (found, wanted) = (try gradients(few), try gradients(all))
      #expect(found.tensors == wanted.tensors)
      // The weights of the second are those of the first, rounded to float32.
      for (a, b) in zip(found.values, wanted.values) { #expect(abs(a - b) <= 1e-6 * abs(b)) }
    }
  }

  @Test("channels between those that matter do no harm behind functions without a mask")
  func channelsBetween() throws {
    for kernel in [[3, 3], [1, 1]] {
      var draft = GraphDraft()
      let y = try draft.convolution("x", from: 16, to: 90, kernel: kernel)
      let z = draft.node("Sigmoid", [y])
      let network = try Network(
        draft.graph(input: [nil, 16, 12, 12], output: z), configuration: .init(threads: 2))
      let x = Inputs([("x", try Tensor.random([1, 16, 12, 12], seed: 7))])
      let few = Objective(.output(z), .weighted([(1, 1), (88 * 144, -2)]))
      let all = Objective(
        .output(z), .cotangent(try few.cotangent(for: Shape([1, 90, 12, 12]), .float32)))
      func gradient(_ objective: Objective) throws -> Tensor {
        try network.gradients(
          of: objective, withRespectTo: [.input("x")], at: x, rules: .gradient
        ).tensors[0]
      }
      #expect(try gradient(few) == gradient(all))
    }
  }

  @Test("many channels on small maps are filtered by smaller tiles")
  func smallMaps() throws {
    let (size, channels) = (7, 96)
    let fast = try output(
      network(size, channels: channels, precision: .single), size, channels: channels)
    let slow = try output(
      network(size, channels: channels, precision: .exact), size, channels: channels)
    #expect(fast != slow)
    #expect(try relativeDistance(fast, slow) < 2e-6)
  }

  @Test("outputs are divided where weights are many or tiles few, and pieces fit the caches")
  func schedules() {
    let many = WinogradSchedule(tiles: 196, inputs: 64, outputs: 64, threads: 2)
    #expect(!many.splitsOutputs && many.tilesAtOnce == 14)
    let thin = WinogradSchedule(tiles: 196, inputs: 16, outputs: 64, threads: 2)
    #expect(!thin.splitsOutputs && thin.tilesAtOnce == 49)
    // Three pieces of 11 tiles would keep one of two threads waiting.
    let uneven = WinogradSchedule(tiles: 32, inputs: 64, outputs: 256, threads: 2)
    #expect(!uneven.splitsOutputs && uneven.tilesAtOnce == 16)
    // Four, or 15, pieces for eight threads are eight and 16.
    let wide = WinogradSchedule(tiles: 196, inputs: 16, outputs: 64, threads: 8)
    #expect(!wide.splitsOutputs && wide.tilesAtOnce == 25)
    let more = WinogradSchedule(tiles: 210, inputs: 64, outputs: 64, threads: 8)
    #expect(!more.splitsOutputs && more.tilesAtOnce == 14)
    let few = WinogradSchedule(tiles: 16, inputs: 256, outputs: 256, threads: 2)
    #expect(few.splitsOutputs)
    let deep = WinogradSchedule(tiles: 784, inputs: 512, outputs: 512, threads: 2)
    #expect(deep.splitsOutputs && deep.tilesAtOnce * 36 * 512 * 4 <= 8 << 20)
    #expect(WinogradSchedule.tiles(height: 9, width: 4) == 3)
    #expect(WinogradSchedule.tiles(height: 7, width: 7, side: 2) == 16)
    let small = WinogradSchedule(tiles: 16, inputs: 512, outputs: 512, threads: 2, tileSide: 2)
    #expect(small.splitsOutputs && small.tilesAtOnce * 16 * 512 * 4 <= 8 << 20)
  }
}
