import Foundation
import Testing
import VitrineCommand
import VitrineTensor
import VitrineTestSupport

/// Real models and photos, through the command line alone.
@Suite("Fixtures", .enabled(if: Fixtures.areAvailable))
struct FixtureTests {
  let workspace: Workspace

  init() throws { workspace = try Workspace() }

  @Test("SqueezeNet sees a tabby in the photo of a kitten, with the reference probability")
  func kitten() {
    let result = workspace.run([
      "predict", Fixtures.path("models/squeezenet_imagenet.onnx"),
      Fixtures.path("images/photo_224/kitten.png"), "--preprocess", "caffe", "--labels",
      Fixtures.path("labels/imagenet_1000.txt"),
    ])
    #expect(result.code == .success)
    #expect(
      result.output.hasPrefix(
        "kitten.png: about a 93.852% chance of tabby, tabby cat (class 281, probability 0.939)\n"))
  }

  @Test("SqueezeNet sees a pelican in a photo of another size")
  func pelican() {
    let result = workspace.run([
      "predict", Fixtures.path("models/squeezenet_imagenet.onnx"),
      Fixtures.path("images/pelican.jpeg"), "--preprocess", "caffe", "--resize", "256", "--crop",
      "224", "--labels", Fixtures.path("labels/imagenet_1000.txt"),
    ])
    #expect(result.output.contains("chance of pelican (class 144"))
  }

  @Test("the 13 maps of aug-net agree with the reference Jacobian")
  func augnet() throws {
    let result = workspace.run([
      "explain", Fixtures.path("models/augnet.onnx"),
      Fixtures.path("images/augnet_sample_input.jpg"), "--method", "jacobian", "--preprocess",
      "unit", "--resize", "256", "--interpolation", "nearest", "--raw", "@j.npy", "--output",
      "@maps",
    ])
    #expect(result.code == .success, "\(result.errors)")
    #expect(workspace.contents.count { $0.hasSuffix("d_image.png") } == 13)
    let found = try Tensor(npy: try workspace.bytes("j.npy"))
    #expect(found.shape.dimensions == [1, 13, 256, 256])
    let expected = try Fixtures.tensor("golden/augnet/sample/jacobian.npy")
    let flat = try found.reshaped(to: expected.shape.dimensions)
    let distance = try flat.subtracting(expected).norm() / expected.norm()
    // Near-ties in max pooling on flat areas: independent engines agree to 2e-3 (FIXTURES.md).
    #expect(distance < 1e-2)
  }

  @Test("a picture twice the model's size needs no flags, one of another shape does")
  func sizes() {
    let model = Fixtures.path("models/augnet.onnx")
    let doubled = workspace.run([
      "predict", model, Fixtures.path("images/augnet_sample_input.jpg"), "--preprocess", "unit",
    ])
    #expect(doubled.code == .success)
    #expect(doubled.errors.contains("512x512 reduced to 256x256 (nearest)"))
    let other = workspace.run([
      "predict", model, Fixtures.path("images/pelican.jpeg"), "--preprocess", "unit",
    ])
    #expect(other.code == .badData)
    #expect(other.errors.contains("500x375") && other.errors.contains("--resize 256 --crop 256"))
  }
}
