// swift-tools-version: 6.2

import PackageDescription

// One explainer family = one word here = one folder under Plugins/ = one target `Vitrine<Method>`.
let methods = [
  "Activations", "FilterVisualization", "GradCAM", "GradientMagnitude", "GuidedBackpropagation",
  "IntegratedGradients", "Jacobian", "Occlusion",
]

// SwiftPM refuses unsafe flags in a dependency, and a dependent builds in release anyway.
let isDependency = Context.packageDirectory.contains("/checkouts/")

// The kernels' vector code is 75 times slower at -O0 (257 -> 3.4 GF/s): debug tests need -O2.
let kernelSettings: [CSetting] =
  isDependency ? [] : [.unsafeFlags(["-O2"], .when(configuration: .debug))]

// A plugin in a shared library is linked against nothing: it finds the core in the program that loads it.
// `vitrine` therefore exports its symbols (+0.9 MB, start-up time unchanged).
let exportsSymbols: [LinkerSetting] =
  isDependency ? [] : [.unsafeFlags(["-Xlinker", "--export-dynamic"], .when(platforms: [.linux]))]

func tests(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
  .testTarget(
    name: name + "Tests",
    dependencies: [.target(name: name), "VitrineTestSupport"] + dependencies)
}

let package = Package(
  name: "Vitrine",
  platforms: [.macOS(.v15)],
  products: [
    .library(name: "Vitrine", targets: ["Vitrine"]),
    .library(name: "VitrineCore", targets: ["VitrineCore", "VitrineTensor"]),
    .library(name: "VitrineConformance", targets: ["VitrineConformance"]),
    .executable(name: "vitrine", targets: ["VitrineTool"]),
  ],
  dependencies: [],
  targets: [
    // MARK: - Core
    .target(name: "VitrineTensor"),
    .target(name: "VitrineCore", dependencies: ["VitrineTensor"]),

    // MARK: - Runtime and readers
    .target(name: "CVitrineKernels", cSettings: kernelSettings),
    .target(
      name: "VitrineNetwork", dependencies: ["CVitrineKernels", "VitrineCore", "VitrineTensor"]),
    .target(name: "VitrineONNX", dependencies: ["VitrineCore", "VitrineNetwork", "VitrineTensor"]),
    .target(name: "VitrineFiles"),
    .target(name: "VitrineImaging"),
    .target(
      name: "VitrineReport", dependencies: ["VitrineCore", "VitrineImaging", "VitrineTensor"]),
  ]
    // MARK: - Methods
    + methods.map {
      .target(
        name: "Vitrine" + $0, dependencies: ["VitrineCore", "VitrineTensor"], path: "Plugins/" + $0)
    } + [
      // MARK: - Catalog and tools
      .target(
        name: "Vitrine",
        dependencies: [
          "VitrineCore", "VitrineImaging", "VitrineNetwork", "VitrineONNX", "VitrineReport",
          "VitrineTensor",
        ] + methods.map { .target(name: "Vitrine" + $0) }),
      .target(name: "VitrineConformance", dependencies: ["VitrineCore", "VitrineTensor"]),
      .plugin(
        name: "NewExplainer",
        capability: .command(
          intent: .custom(
            verb: "new-explainer", description: "Make the target, page and tests of a new method"),
          permissions: [
            .writeToPackageDirectory(reason: "The files of the new method are written there.")
          ]),
        path: "Plugins/NewExplainer"),
      .target(name: "CVitrinePlugin"),
      .target(name: "CVitrineProcess"),
      .target(
        name: "VitrinePluginKit",
        dependencies: ["CVitrinePlugin", "VitrineCore", "VitrineTensor"]),
      .target(
        name: "VitrinePlugins",
        dependencies: [
          "CVitrinePlugin", "CVitrineProcess", "VitrineCore", "VitrineFiles", "VitrinePluginKit",
          "VitrineTensor",
        ]),
      .target(
        name: "VitrineCommand",
        dependencies: [
          "Vitrine", "VitrineCore", "VitrineFiles", "VitrineImaging", "VitrineNetwork",
          "VitrineONNX", "VitrinePlugins", "VitrineReport", "VitrineTensor",
        ]),
      // Its product is `vitrine`; the folder is not, because `Vitrine` and `vitrine` are one folder
      // on the file systems of macOS and Windows.
      .executableTarget(
        name: "VitrineTool", dependencies: ["VitrineCommand"], linkerSettings: exportsSymbols),

      // MARK: - Tests
      .target(
        name: "VitrineTestSupport", dependencies: ["VitrineCore", "VitrineTensor"],
        path: "Tests/_TestSupport"),
      tests("CVitrineKernels"),
      tests("VitrineTensor"),
      tests("VitrineCore", ["VitrineTensor"]),
      tests("VitrineNetwork", ["VitrineCore", "VitrineONNX", "VitrineTensor"]),
      tests("VitrineONNX", ["VitrineCore", "VitrineNetwork", "VitrineTensor"]),
      tests("VitrineFiles"),
      tests("VitrineImaging"),
      tests("VitrineReport", ["VitrineCore", "VitrineImaging", "VitrineTensor"]),
      tests("VitrineConformance", ["Vitrine", "VitrineCore", "VitrineTensor"]),
      .executableTarget(
        name: "HostilePlugin",
        dependencies: ["Vitrine", "VitrineCore", "VitrinePluginKit", "VitrineTensor"],
        path: "Tests/_HostilePlugin"),
      tests(
        "VitrinePlugins",
        [
          "CVitrinePlugin", "HostilePlugin", "Vitrine", "VitrineConformance", "VitrineCore",
          "VitrineNetwork", "VitrineONNX", "VitrinePluginKit", "VitrineReport", "VitrineTensor",
          "VitrineTool",
        ]),
      tests(
        "VitrineCommand",
        ["Vitrine", "VitrineCore", "VitrineImaging", "VitrineNetwork", "VitrineTensor"]),
      tests(
        "Vitrine",
        [
          "VitrineCore", "VitrineImaging", "VitrineNetwork", "VitrineONNX", "VitrineTensor",
        ]),
    ],
  swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .plugin && !target.name.hasPrefix("C") {
  target.swiftSettings = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ]
}
