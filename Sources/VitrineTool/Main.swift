import VitrineCommand

@main struct Main {
  static func main() {
    Command.main()
  }
}
