/// One setting of a method, declared once: decoding, help, documentation and errors derive from it.
public struct Option: Sendable, Hashable {
  /// What values the option takes.
  public enum Kind: Sendable, Hashable {
    /// `true` or `false`.
    case flag
    /// A whole number in a range.
    case integer(ClosedRange<Int>)
    /// A finite number in a range.
    case number(ClosedRange<Double>)
    /// One of these words.
    case choice([String])
    /// One or more integers, separated by commas.
    case integers(ClosedRange<Int>)
    /// One or more names of layers or tensors of the model, separated by commas.
    case layers
    /// What stands for absence; see ``Baseline/init(_:)``.
    case baseline
    /// Exactly one name of a layer or tensor of the model.
    case layer
  }

  /// In kebab-case.
  public let name: String
  /// What values it takes.
  public let kind: Kind
  /// The text that gives the default; `nil` if the method chooses one from the model.
  public let defaultText: String?
  /// Unit of the value; empty if it has none.
  public let unit: String
  /// One sentence.
  public let help: String
  /// Version of Vitrine, or of the plugin's package, that first had it.
  public let since: String

  /// Declares an option.
  public init(
    _ name: String, _ kind: Kind, default defaultText: String?, unit: String = "", help: String,
    since: String = "0.1.0"
  ) {
    self.name = name
    self.kind = kind
    self.defaultText = defaultText
    self.unit = unit
    self.help = help
    self.since = since
  }

  /// The values it takes, as people read them.
  public var expectation: String {
    switch kind {
    case .flag: "true or false"
    case .integer(let range): "an integer" + range.phrase(lowest: .min, highest: .max)
    case .number(let range):
      "a number"
        + range.phrase(
          lowest: -Double.greatestFiniteMagnitude, highest: .greatestFiniteMagnitude)
    case .choice(let choices): "one of " + choices.joined(separator: ", ")
    case .integers(let range):
      "integers separated by commas" + range.phrase(lowest: .min, highest: .max)
    case .layers: "names of layers or tensors, separated by commas"
    case .baseline: "a number, numbers for each channel, mean, blur, black, white, or a file"
    case .layer: "the name of a layer or tensor"
    }
  }

  /// Returns the value that `text` stands for, or `nil` if it does not fit.
  package func value(of text: String) -> OptionValue? {
    switch kind {
    case .flag:
      switch text.lowercased() {
      case "true", "yes", "on", "1": return .flag(true)
      case "false", "no", "off", "0": return .flag(false)
      default: return nil
      }
    case .integer(let range):
      guard let value = Int(text), range.contains(value) else { return nil }
      return .integer(value)
    case .number(let range):
      guard let value = Double(text), value.isFinite, range.contains(value) else { return nil }
      return .number(value)
    case .choice(let choices):
      return choices.contains(text) ? .text(text) : nil
    case .integers(let range):
      var values: [Int] = []
      for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard let value = Int(part), range.contains(value) else { return nil }
        values.append(value)
      }
      return .integers(values)
    case .layers:
      let names = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      return names.contains("") ? nil : .texts(names)
    case .baseline: return Baseline(text) == nil ? nil : .text(text)
    case .layer:
      return text.isEmpty ? nil : .text(text)
    }
  }
}

/// The value of an option.
package enum OptionValue: Sendable, Hashable {
  case flag(Bool)
  case integer(Int)
  case number(Double)
  case text(String)
  case integers([Int])
  case texts([String])
}

extension ClosedRange {
  fileprivate func phrase(lowest: Bound, highest: Bound) -> String {
    switch (lowerBound > lowest, upperBound < highest) {
    case (true, true): " in \(lowerBound)...\(upperBound)"
    case (true, false): ", at least \(lowerBound)"
    case (false, true): ", at most \(upperBound)"
    case (false, false): ""
    }
  }
}

/// Checked values of a method's options: those given, and the defaults of the rest.
public struct Options: Sendable, Hashable {
  private let values: [String: OptionValue]
  /// Every option with a value, as text, in the order of the manifest.
  public let texts: [(name: String, value: String)]

  /// Decodes option texts against a manifest.
  ///
  /// - Throws: ``CoreError/unknownName(what:name:suggestion:known:)`` for an option the method does
  ///   not have, ``CoreError/invalidOption(method:option:value:expected:)`` for a value that does not
  ///   fit or an option given twice.
  public init(_ given: [(name: String, value: String)], for method: Method) throws(CoreError) {
    var texts: [String: String] = [:]
    for (name, value) in given {
      guard let option = method.options.first(where: { $0.name == name }) else {
        let known = method.options.map(\.name)
        throw .unknownName(
          what: "option of \(method.identifier)", name: name,
          suggestion: closestName(to: name, among: known), known: known)
      }
      guard texts.updateValue(value, forKey: name) == nil else {
        throw .invalidOption(
          method: method.identifier, option: option.name, value: value, expected: "to be set once")
      }
    }
    var values: [String: OptionValue] = [:]
    var listed: [(name: String, value: String)] = []
    for option in method.options {
      guard let text = texts[option.name] ?? option.defaultText else { continue }
      guard let value = option.value(of: text) else {
        throw .invalidOption(
          method: method.identifier, option: option.name, value: text, expected: option.expectation)
      }
      values[option.name] = value
      listed.append((option.name, text))
    }
    self.values = values
    self.texts = listed
  }

  // The readers below answer for options the manifest declares with that kind; anything else is a
  // mistake in the method's own code.

  /// Returns the value of a flag.
  public func flag(_ name: String) -> Bool {
    guard case .flag(let value)? = values[name] else { undeclared(name, "flag") }
    return value
  }

  /// Returns the value of an integer.
  public func integer(_ name: String) -> Int {
    guard case .integer(let value)? = values[name] else { undeclared(name, "integer") }
    return value
  }

  /// Returns the value of a number.
  public func number(_ name: String) -> Double {
    guard case .number(let value)? = values[name] else { undeclared(name, "number") }
    return value
  }

  /// Returns the value of a choice.
  public func choice(_ name: String) -> String {
    guard case .text(let value)? = values[name] else { undeclared(name, "choice") }
    return value
  }

  /// Returns what stands for absence.
  public func baseline(_ name: String) -> Baseline {
    guard case .text(let text)? = values[name], let value = Baseline(text) else {
      undeclared(name, "baseline")
    }
    return value
  }

  /// Returns the values of a list of integers, or `nil` if it was not given and has no default.
  public func integers(_ name: String) -> [Int]? {
    guard case .integers(let value)? = values[name] else { return nil }
    return value
  }

  /// Returns a layer's name, or `nil` if it was not given and has no default.
  public func layer(_ name: String) -> String? {
    guard case .text(let value)? = values[name] else { return nil }
    return value
  }

  /// Returns the names of layers, or `nil` if they were not given and have no default.
  public func layers(_ name: String) -> [String]? {
    guard case .texts(let value)? = values[name] else { return nil }
    return value
  }

  /// Returns the value of an integer, or `nil` if it was not given and has no default.
  public func optionalInteger(_ name: String) -> Int? {
    guard case .integer(let value)? = values[name] else { return nil }
    return value
  }

  /// Returns the value of a number, or `nil` if it was not given and has no default.
  public func optionalNumber(_ name: String) -> Double? {
    guard case .number(let value)? = values[name] else { return nil }
    return value
  }

  private func undeclared(_ name: String, _ kind: String) -> Never {
    preconditionFailure("option '\(name)' is not declared as a \(kind) with a default")
  }

  public static func == (left: Options, right: Options) -> Bool { left.values == right.values }

  public func hash(into hasher: inout Hasher) { hasher.combine(values) }
}
