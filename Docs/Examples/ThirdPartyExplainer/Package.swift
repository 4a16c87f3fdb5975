// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "RISEExplainer",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "RISEExplainer", targets: ["RISEExplainer"]),
    .executable(name: "vitrine-rise", targets: ["vitrine-rise"]),
  ],
  dependencies: [
    // From elsewhere: .package(url: "https://…/Vitrine.git", from: "0.1.0")
    .package(name: "Vitrine", path: "../../..")
  ],
  targets: [
    .target(
      name: "RISEExplainer",
      dependencies: [.product(name: "VitrineCore", package: "Vitrine")]),
    .executableTarget(
      name: "vitrine-rise",
      dependencies: [
        "RISEExplainer",
        .product(name: "Vitrine", package: "Vitrine"),
        .product(name: "VitrineCommand", package: "Vitrine"),
      ]),
    .testTarget(
      name: "RISEExplainerTests",
      dependencies: [
        "RISEExplainer",
        .product(name: "VitrineConformance", package: "Vitrine"),
        .product(name: "VitrineCore", package: "Vitrine"),
      ]),
  ],
  swiftLanguageModes: [.v6]
)
