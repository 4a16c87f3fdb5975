import Foundation
import Testing
import VitrineCommand
import VitrineCore

@Suite("Descriptions of methods")
struct DescribeTests {
  let workspace: Workspace

  init() throws { workspace = try Workspace() }

  private func object(_ arguments: [String]) throws -> [String: Any] {
    let output = workspace.run(arguments).output
    return try #require(
      try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any])
  }

  private func methods() throws -> [[String: Any]] {
    try #require(try object(["methods", "--json"])["methods"] as? [[String: Any]])
  }

  @Test("the list of methods carries a format version")
  func version() throws {
    #expect(try object(["methods", "--json"])["schema"] as? Int == 1)
    #expect(try methods().count > 9)
  }

  @Test("an option's name, kind, range, unit, default, help and version come from the manifest")
  func options() throws {
    for method in try methods() {
      for option in try #require(method["options"] as? [[String: Any]]) {
        for key in ["name", "type", "unit", "help", "since"] { #expect(option[key] is String) }
        #expect(option["default"] is String || option["default"] is NSNull)
      }
    }
    let steps = try #require(
      (try object(["describe", "ig", "--json"])["method"] as? [String: Any])?["options"]
        as? [[String: Any]]
    ).first { $0["name"] as? String == "steps" }
    #expect(steps?["type"] as? String == "integer")
    #expect(steps?["minimum"] as? Int == 1)
    #expect(steps?["since"] as? String == "0.1.0")
  }

  @Test("every method has a JSON Schema with a property for each option, which its default fits")
  func schemas() throws {
    for method in try methods() {
      let identifier = try #require(method["identifier"] as? String)
      let schema = try #require(
        try object(["describe", identifier, "--json"])["options_schema"] as? [String: Any])
      #expect(schema["$schema"] as? String == "https://json-schema.org/draft/2020-12/schema")
      #expect(schema["additionalProperties"] as? Bool == false)
      let properties = try #require(schema["properties"] as? [String: [String: Any]])
      let options = try #require(method["options"] as? [[String: Any]])
      #expect(properties.keys.sorted() == options.compactMap { $0["name"] as? String }.sorted())
      for option in options {
        let property = try #require(properties[option["name"] as? String ?? ""])
        #expect(property["description"] as? String == option["help"] as? String)
        #expect((property["default"] == nil) == (option["default"] is NSNull))
        if let standard = property["default"] {
          #expect(fits(standard, property), "\(identifier): \(property)")
        }
      }
    }
  }

  /// Whether a value is what a schema of ours says.
  private func fits(_ value: Any, _ schema: [String: Any]) -> Bool {
    if let alternatives = schema["anyOf"] as? [[String: Any]] {
      return alternatives.contains { fits(value, $0) }
    }
    if let words = schema["enum"] as? [String] { return words.contains { $0 == value as? String } }
    switch schema["type"] as? String {
    case "boolean": return value is Bool
    case "string": return (value as? String)?.isEmpty == false
    case "array":
      guard let items = schema["items"] as? [String: Any], let list = value as? [Any] else {
        return false
      }
      return list.count >= (schema["minItems"] as? Int ?? 0) && list.allSatisfy { fits($0, items) }
    case "integer", "number":
      guard let number = value as? Double else { return false }
      return (schema["minimum"] as? Double).map { $0 <= number } ?? true
        && (schema["maximum"] as? Double).map { $0 >= number } ?? true
    default: return false
    }
  }

  @Test("the text names each option with its values, default and version")
  func text() {
    let text = workspace.run(["describe", "occlusion"]).output
    #expect(
      text.contains(
        """
          fill=a number, numbers for each channel, mean, blur, black, white, or a file
              What the window shows, as numbers the model sees; colours and files are prepared as the \
        input is. Default: 0. Since 0.1.0.
        """))
  }

  @Test(
    "the help of explain lists the options of the method it is given",
    arguments: [["--method", "occlusion"], ["--method=occlusion"], ["-m", "occlusion"]])
  func help(words: [String]) {
    let plain = workspace.run(["explain", "--help"]).output
    let page = workspace.run(["explain"] + words + ["--help"]).output
    #expect(page.hasPrefix(plain))
    #expect(page.contains("\nOptions of occlusion, as --set name=value\n  window="))
  }

  @Test("the help of explain refuses a method that is not there")
  func unknownMethod() {
    let result = workspace.run(["explain", "-m", "oclusion", "--help"])
    #expect(result.code == .usage)
    #expect(result.errors.contains("did you mean 'occlusion'?"))
    #expect(workspace.run(["explain", "--help", "--method"]).code == .success)
  }
}
