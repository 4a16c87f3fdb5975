/// What can be wrong with a request to explain something.
public enum CoreError: Error, Sendable, Equatable {
  /// A method, option, output or label that does not exist.
  case unknownName(what: String, name: String, suggestion: String?, known: [String])
  /// A method whose identifier or alias is registered already.
  case duplicateMethod(String)
  /// An option's text does not have its type or lies outside its range.
  case invalidOption(method: String, option: String, value: String, expected: String)
  /// Other inputs than the model has; `expected` are the names of those.
  case inputCount(expected: [String], found: Int)
  /// A tensor whose shape does not fit.
  case shapeMismatch(what: String, expected: [Int], found: [Int])
  /// An index beyond the elements of a site.
  case elementOutOfRange(element: Int, count: Int, site: String)
  /// An index beyond the channels of a site.
  case channelOutOfRange(channel: Int, count: Int, site: String)
  /// Neither one target nor one for each sample.
  case targetCount(expected: Int, found: Int)
  /// A label was given as target, but no class names.
  case noLabels(label: String)
  /// The probability was asked for of an output that does not come from a softmax.
  case noProbability(output: String)
  /// The model cannot do what the method needs, such as being differentiated.
  case missingCapability(method: String, needs: String)
  /// Values with NaN or infinity; the text says which.
  case notFinite(String)
  /// The request makes no sense for this model; the text says why and what to do.
  case notApplicable(String)
  /// The caller asked the run to stop.
  case cancelled
}

extension CoreError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .unknownName(let what, let name, let suggestion, let known):
      "unknown \(what) '\(name)'"
        + (suggestion.map { "; did you mean '\($0)'?" }
          ?? (known.isEmpty ? "" : "; expected one of " + known.joined(separator: ", ")))
    case .duplicateMethod(let name):
      "a method named '\(name)' is already registered: identifiers and aliases must be unique"
    case .invalidOption(let method, let option, let value, let expected):
      "option '\(option)' of \(method): expected \(expected), found '\(value)'"
    case .inputCount(let expected, let found):
      "the model has \(expected.count) input\(expected.count == 1 ? "" : "s") "
        + "(\(expected.joined(separator: ", "))), found \(found)"
    case .shapeMismatch(let what, let expected, let found):
      "\(what): expected \(expected), found \(found)"
    case .elementOutOfRange(let element, let count, let site):
      "index \(element) is out of range: '\(site)' has \(count) "
        + (count > 0 ? "elements, 0...\(count - 1)" : "elements")
    case .channelOutOfRange(let channel, let count, let site):
      "channel \(channel) is out of range: '\(site)' has \(count) "
        + (count > 0 ? "channels, 0...\(count - 1)" : "channels")
    case .targetCount(let expected, let found):
      "expected one target, or one for each of the \(expected) samples, found \(found)"
    case .noLabels(let label):
      "label '\(label)' cannot be looked up: give the class names with --labels, or the index"
    case .noProbability(let output):
      "output '\(output)' has no probability: the graph does not end in a softmax; explain the logit"
    case .missingCapability(let method, let needs):
      "\(method) needs \(needs), which this model does not have"
    case .notFinite(let what): "\(what) contains NaN or infinity, which cannot be explained"
    case .notApplicable(let reason): reason
    case .cancelled: "cancelled"
    }
  }
}
