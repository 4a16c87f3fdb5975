import Testing
import VitrineNetwork
import VitrineTensor
@Suite(.serialized) struct PerfTmp {
  func time(_ name: String, _ count: Int, _ f: () throws -> Void) rethrows {
    var best = Double.infinity
    for _ in 0..<3 { let c = ContinuousClock(); let d = try c.measure { try f() }; best = min(best, Double(d.components.attoseconds) / 1e9 + Double(d.components.seconds) * 1e9) }
    print(name, best / Double(count), "ns/element")
  }
  @Test func perf() throws {
    let n = 1 << 20
    var r = RandomNumbers(seed: 1)
    let x = try r.uniform([64, 128, 128]).converted(to: .float32)
    let v = try r.uniform([128]).converted(to: .float32)
    let ch = try r.uniform([64, 1, 1]).converted(to: .float32)
    func op(_ k: String, _ i: Int = 1, _ o: Int = 13, _ a: [String: Graph.Attribute] = [:]) throws -> any Operator { try HostileNodeTests.operators[k]!.init(NodeReader(k, inputs: i, opset: o, a)) }
    func t(_ name: String, _ o: any Operator, _ ins: [Tensor?]) throws {
      try time(name, n) { _ = try o.evaluate(ins, Float.self) }
      let out = try o.evaluate(ins, Float.self)
      if out[0].dataType == .float32 { let p = Point(inputs: ins, outputs: out, wanted: ins.map { _ in true })
      try time(name + " pullback", n) { _ = try o.pullback([out[0]], at: p, Float.self) } }
    }
    try t("Add same", op("Add", 2), [x, x]); try t("Add row", op("Add", 2), [x, v]); try t("Mul channel", op("Mul", 2), [x, ch])
    try t("Sqrt", op("Sqrt"), [x]); try t("Exp", op("Exp"), [x]); try t("Max", op("Max", 2), [x, v])
    try t("ReduceSum last", op("ReduceSum", 1, 11, ["axes": .integers([1, 2])]), [x])
    try t("ReduceSum first", op("ReduceSum", 1, 11, ["axes": .integers([0])]), [x])
    try t("ReduceMax last", op("ReduceMax", 1, 11, ["axes": .integers([1, 2])]), [x])
    try t("Transpose", op("Transpose"), [x]); try t("Concat", op("Concat", 2, 13, ["axis": .integer(1)]), [x, x])
    try t("Pad", op("Pad", 2), [x, Tensor([0, 1, 1, 0, 1, 1] as [Int64])]); try t("Pad reflect", op("Pad", 2, 13, ["mode": .string("reflect")]), [x, Tensor([0, 1, 1, 0, 1, 1] as [Int64])])
    try t("Greater", op("Greater", 2), [x, v]); try t("Where", op("Where", 3), [try op("Greater", 2).evaluate([x, v], Float.self)[0], x, v])
    try t("Gather", op("Gather", 2, 13, ["axis": .integer(2)]), [x, Tensor((0..<128).map { Int64(127 - $0) })])
  }
}
