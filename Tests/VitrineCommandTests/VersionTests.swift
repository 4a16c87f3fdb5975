import CVitrinePlugin
import Testing
import VitrineCommand

/// The version as the command, and as every plugin carries it.
@Suite("Version")
struct VersionTests {
  @Test("plugins are compiled with the version that the command prints")
  func headerAgrees() {
    #expect(VITRINE_VERSION == Command.version)
  }
}
