import Testing
import VitrineCore
import VitrineTensor

@Suite("Objectives")
struct ObjectiveTests {
  private let site = Site.layer("layer")

  private func cotangent(_ form: Objective.Form, _ shape: [Int]) throws -> [Double] {
    try Objective(site, form).cotangent(for: Shape(shape), .float64).elements(of: Double.self)
  }

  @Test("one element is the same for every sample, or one for each")
  func elements() throws {
    #expect(try cotangent(.elements([1]), [2, 3]) == [0, 1, 0, 0, 1, 0])
    #expect(try cotangent(.elements([2, 0]), [2, 3]) == [0, 0, 1, 1, 0, 0])
  }

  @Test("an element is a flat index into a sample of any rank")
  func flatElement() throws {
    #expect(try cotangent(.elements([3]), [1, 2, 2]) == [0, 0, 0, 1])
  }

  @Test("weights add up where an element is named twice")
  func weighted() throws {
    let form = Objective.Form.weighted([(0, 2), (2, -1), (0, 0.5)])
    #expect(try cotangent(form, [2, 3]) == [2.5, 0, -1, 2.5, 0, -1])
  }

  @Test("a channel's mean spreads over the positions of that channel alone")
  func channelMean() throws {
    #expect(try cotangent(.channelMean(1), [1, 2, 2, 2]) == [0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25])
    #expect(try cotangent(.channelMean(2), [1, 3]) == [0, 0, 1])
  }

  @Test("sum and mean count every element of a sample")
  func sumAndMean() throws {
    #expect(try cotangent(.sum, [2, 2]) == [1, 1, 1, 1])
    #expect(try cotangent(.mean, [2, 4]) == Array(repeating: 0.25, count: 8))
  }

  @Test("a caller's cotangent is taken as it is, in the type asked for")
  func callersCotangent() throws {
    let tensor = try Tensor([1, 2, 3] as [Float], shape: [1, 3])
    #expect(try cotangent(.cotangent(tensor), [1, 3]) == [1, 2, 3])
    #expect(
      throws: CoreError.shapeMismatch(
        what: "cotangent of layer 'layer'", expected: [1, 2], found: [1, 3])
    ) { try cotangent(.cotangent(tensor), [1, 2]) }
  }

  @Test("indices outside the site are errors, at both ends")
  func outOfRange() {
    for element in [-1, 3, Int.min, Int.max] {
      #expect(throws: CoreError.elementOutOfRange(element: element, count: 3, site: "layer")) {
        try cotangent(.elements([element]), [1, 3])
      }
      #expect(throws: CoreError.elementOutOfRange(element: element, count: 3, site: "layer")) {
        try cotangent(.weighted([(element, 1)]), [1, 3])
      }
      #expect(throws: CoreError.channelOutOfRange(channel: element, count: 3, site: "layer")) {
        try cotangent(.channelMean(element), [1, 3, 2, 2])
      }
    }
    #expect(throws: CoreError.targetCount(expected: 3, found: 2)) {
      try cotangent(.elements([0, 1]), [3, 2])
    }
  }

  @Test("a site without elements has no element, and sums to nothing")
  func emptySite() throws {
    #expect(throws: CoreError.elementOutOfRange(element: 0, count: 0, site: "layer")) {
      try cotangent(.elements([0]), [2, 0])
    }
    #expect(try cotangent(.mean, [2, 0]) == [])
    #expect(try cotangent(.channelMean(0), [2, 1, 0]) == [])
    #expect(try cotangent(.sum, [0, 3]) == [])
  }

  @Test("the value is the inner product of cotangent and site, for each sample")
  func values() throws {
    let value = try Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [2, 3])
    #expect(try Objective(site, .elements([2])).values(of: value) == [3, 6])
    #expect(try Objective(site, .elements([0, 1])).values(of: value) == [1, 5])
    #expect(try Objective(site, .weighted([(0, 1), (1, -1)])).values(of: value) == [-1, -1])
    #expect(try Objective(site, .sum).values(of: value) == [6, 15])
    #expect(try Objective(site, .mean).values(of: value) == [2, 5])
  }

  @Test("an infinity elsewhere does not reach the value of an element")
  func infinityElsewhere() throws {
    let value = try Tensor([.infinity, 2, .nan] as [Float], shape: [1, 3])
    #expect(try Objective(site, .elements([1])).values(of: value) == [2])
  }
}
