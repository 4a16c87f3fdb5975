import CVitrineProcess
import VitrineCommand

@main struct Main {
  static func main() {
    vitrine_return_large_blocks()
    Command.main()
  }
}
