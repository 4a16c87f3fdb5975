import RISEExplainer
import Vitrine
import VitrineCommand

/// The command `vitrine` with one method more.
@main struct Main {
  static func main() throws {
    var catalog = MethodCatalog.standard
    try catalog.register(RISE.self)
    Command.main(catalog: catalog)
  }
}
