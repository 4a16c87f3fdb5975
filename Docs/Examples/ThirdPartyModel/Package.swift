// swift-tools-version: 6.2

import PackageDescription

let package = Package(
  name: "OutsideModels",
  platforms: [.macOS(.v15)],
  products: [.library(name: "OutsideModels", targets: ["OutsideModels"])],
  dependencies: [
    // From elsewhere: .package(url: "https://…/Vitrine.git", from: "0.1.0")
    .package(name: "Vitrine", path: "../../..")
  ],
  targets: [
    .target(
      name: "OutsideModels",
      dependencies: [.product(name: "VitrineCore", package: "Vitrine")]),
    .testTarget(
      name: "OutsideModelsTests",
      dependencies: [
        "OutsideModels",
        .product(name: "Vitrine", package: "Vitrine"),
        .product(name: "VitrineConformance", package: "Vitrine"),
        .product(name: "VitrineCore", package: "Vitrine"),
      ]),
  ],
  swiftLanguageModes: [.v6]
)
