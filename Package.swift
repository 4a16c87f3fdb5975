// swift-tools-version: 6.2

import PackageDescription

// One explainer family = one word here = one folder under Plugins/ = one target `Vitrine<Method>`.
let methods = [
  "Activations", "FilterVisualization", "GradCAM", "GradientMagnitude", "GuidedBackpropagation",
  "IntegratedGradients", "Jacobian", "Occlusion", "SmoothGrad",
]

// Programs to be read as documentation: `swift run -c release AugNet`.
let examples = ["AugNet", "InputAttribution", "InputSensitivity", "LiveExplanations"]

// SwiftPM refuses unsafe flags in a dependency, and a dependent builds in release anyway.
let isDependency = ["/checkouts/", "/registry/downloads/"].contains {
  Context.packageDirectory.contains($0)
}

// The kernels' vector code is 75 times slower at -O0 (257 -> 3.4 GF/s): debug tests need -O2.
let kernelSettings: [CSetting] =
  isDependency ? [] : [.unsafeFlags(["-O2"], .when(configuration: .debug))]

// A plugin in a shared library is linked against nothing: it finds the core in the program that loads it.
// `vitrine` therefore exports its symbols (+0.76 MB of 15.0 MB in debug, start-up 8 ms with and without).
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
    .library(name: "VitrineNetwork", targets: ["VitrineNetwork", "VitrineONNX"]),
    .library(name: "VitrineTraining", targets: ["VitrineLayers", "VitrineTraining"]),
    .library(name: "VitrineData", targets: ["VitrineData"]),
    .library(name: "VitrineImaging", targets: ["VitrineImaging"]),
    .library(name: "VitrineConformance", targets: ["VitrineConformance"]),
    .library(name: "VitrineCommand", targets: ["VitrineCommand"]),
    .library(name: "VitrinePluginKit", targets: ["VitrinePluginKit"]),
    .library(name: "VitrinePlugins", targets: ["VitrinePlugins"]),
    .plugin(name: "NewExplainer", targets: ["NewExplainer"]),
    .executable(name: "vitrine", targets: ["VitrineTool"]),
  ] + methods.map { .library(name: "Vitrine" + $0, targets: ["Vitrine" + $0]) },
  dependencies: [],
  targets: [
    // MARK: - Core
    .target(name: "VitrineTensor"),
    .target(name: "VitrineCore", dependencies: ["VitrineTensor"]),

    // MARK: - Runtime and readers
    .target(name: "CVitrineKernels", cSettings: kernelSettings),
    .target(
      name: "VitrineNetwork", dependencies: ["CVitrineKernels", "VitrineCore", "VitrineTensor"]),
    .target(
      name: "VitrineTraining",
      dependencies: ["VitrineCore", "VitrineFiles", "VitrineNetwork", "VitrineTensor"]),
    .target(
      name: "VitrineLayers", dependencies: ["VitrineCore", "VitrineNetwork", "VitrineTensor"]),
    .target(name: "VitrineFiles"),
    .target(
      name: "VitrineONNX",
      dependencies: ["VitrineCore", "VitrineFiles", "VitrineNetwork", "VitrineTensor"]),
    .target(
      name: "VitrineSafetensors",
      dependencies: ["VitrineCore", "VitrineFiles", "VitrineNetwork", "VitrineTensor"]),
    .target(name: "VitrineImaging"),
    .target(
      name: "VitrineData",
      dependencies: ["VitrineFiles", "VitrineImaging", "VitrineTensor", "VitrineTraining"]),
    .target(
      name: "VitrineReport",
      dependencies: ["VitrineCore", "VitrineFiles", "VitrineImaging", "VitrineTensor"]),
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
          "VitrineCore", "VitrineData", "VitrineImaging", "VitrineLayers", "VitrineNetwork",
          "VitrineONNX", "VitrineReport", "VitrineSafetensors", "VitrineTensor", "VitrineTraining",
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
        dependencies: ["ExplainerScaffold"], path: "Plugins/NewExplainer"),
      // The plugin's program: what is in Plugins itself sees neither Foundation nor files.
      .executableTarget(name: "ExplainerScaffold"),
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
          "Vitrine", "VitrineCore", "VitrineData", "VitrineFiles", "VitrineImaging",
          "VitrineLayers", "VitrineNetwork", "VitrineONNX", "VitrinePlugins", "VitrineReport",
          "VitrineSafetensors", "VitrineTensor", "VitrineTraining",
        ]),
      // Its product is `vitrine`; the folder is not, because `Vitrine` and `vitrine` are one folder
      // on the file systems of macOS and Windows.
      .executableTarget(
        name: "VitrineTool", dependencies: ["VitrineCommand"], linkerSettings: exportsSymbols),
    ]
    // MARK: - Examples
    + examples.map {
      .executableTarget(name: $0, dependencies: ["Vitrine"], path: "Sources/Examples/" + $0)
    } + [
      // MARK: - Tests
      .target(
        name: "VitrineTestSupport", dependencies: ["VitrineCore", "VitrineTensor"],
        path: "Tests/_TestSupport"),
      tests("CVitrineKernels"),
      tests("VitrineTensor"),
      tests("VitrineCore", ["VitrineTensor"]),
      tests("VitrineNetwork", ["VitrineCore", "VitrineONNX", "VitrineTensor"]),
      tests(
        "VitrineTraining",
        [
          "VitrineCore", "VitrineData", "VitrineFiles", "VitrineLayers", "VitrineNetwork",
          "VitrineTensor",
        ]),
      tests(
        "VitrineLayers",
        ["VitrineCore", "VitrineNetwork", "VitrineONNX", "VitrineTensor", "VitrineTraining"]),
      tests("VitrineONNX", ["VitrineCore", "VitrineFiles", "VitrineNetwork", "VitrineTensor"]),
      tests("VitrineSafetensors", ["VitrineLayers", "VitrineNetwork", "VitrineTensor"]),
      tests(
        "VitrineData", ["VitrineFiles", "VitrineImaging", "VitrineTensor", "VitrineTraining"]),
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
          "VitrineNetwork", "VitrineONNX", "VitrinePluginKit", "VitrineTensor", "VitrineTool",
        ]),
      tests(
        "VitrineCommand",
        [
          "CVitrinePlugin", "Vitrine", "VitrineCore", "VitrineImaging", "VitrineLayers",
          "VitrineNetwork",
          "VitrineONNX", "VitrineSafetensors", "VitrineTensor",
        ]),
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
