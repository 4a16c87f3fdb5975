import Foundation
import Testing
import VitrineData
import VitrineFiles
import VitrineImaging
import VitrineTensor

@Suite("Folders of pictures")
struct PictureFolderTests {
  @Test("a folder for each class, resized to one size")
  func reading() throws {
    var generator = SystemRandomNumberGenerator()
    let root = "/tmp/vitrine-pictures-\(generator.next() as UInt64)"
    defer { try? FileManager.default.removeItem(atPath: root) }
    var files = OutputFiles()
    for (name, color) in [("red", [255, 0, 0]), ("blue", [0, 0, 255])] {
      try files.makeFolder(root + "/" + name)
      let pixels = (0..<12).flatMap { _ in color.map(UInt8.init) }
      let image = try Image(width: 4, height: 3, channels: 3, pixels: pixels)
      try files.stage(PNG.encode(image), at: root + "/\(name)/1.png")
    }
    try files.stage([1, 2, 3], at: root + "/red/notes.txt")
    try files.commit()

    let data = try PictureFolder.dataSet(contentsOf: root, width: 2, height: 2)
    #expect(data.classes == ["blue", "red"])
    #expect(data.inputs.shape.dimensions == [2, 3, 2, 2])
    #expect(try data.targets.elements(of: Int64.self) == [0, 1])
    #expect(
      try data.inputs.elements(of: Float.self)
        == [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
    #expect(throws: DataError.self) {
      try PictureFolder.dataSet(contentsOf: root, width: 2, height: 2, memoryLimit: 95)
    }
    #expect(throws: DataError.self) {
      try PictureFolder.dataSet(contentsOf: root + "/red", width: 2, height: 2)
    }
    #expect(throws: FileError.self) {
      try PictureFolder.dataSet(contentsOf: root + "/green", width: 2, height: 2)
    }
  }
}
