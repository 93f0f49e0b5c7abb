// swift-tools-version: 6.2

import PackageDescription

// Layers, lowest first; an arrow only ever points down (DESIGN: "Targets").
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

func library(
    _ name: String, _ dependencies: [Target.Dependency], path: String? = nil,
    exclude: [String] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: path, exclude: exclude,
        swiftSettings: strict)
}

func executable(_ name: String) -> Target {
    .executableTarget(name: name, dependencies: ["DetentCLI"], swiftSettings: strict)
}

func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []
) -> Target {
    .testTarget(
        name: name, dependencies: ["TestSupport"] + dependencies, exclude: exclude,
        swiftSettings: strict)
}

let orderedCollections = Target.Dependency.product(
    name: "OrderedCollections", package: "swift-collections")
let argumentParser = Target.Dependency.product(
    name: "ArgumentParser", package: "swift-argument-parser")

let yams = Target.Dependency.product(name: "Yams", package: "Yams")
let mustache = Target.Dependency.product(name: "Mustache", package: "swift-mustache")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")

let package = Package(
    name: "Detent",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "Detent", targets: ["Detent"]),
        .executable(name: "detent", targets: ["DetentTool"]),
        .executable(name: "quantize", targets: ["QuantizeTool"]),
        .executable(name: "convert", targets: ["ConvertTool"]),
        .executable(name: "evalppl", targets: ["EvalpplTool"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // Layer 0
        .target(name: "CKernels"),
        .systemLibrary(name: "COneDNN", providers: [.apt(["libdnnl-dev"])]),
        .systemLibrary(name: "CLAPACK", providers: [.apt(["liblapacke-dev", "libopenblas-dev"])]),
        .systemLibrary(name: "CPCRE2", providers: [.apt(["libpcre2-dev"]), .brew(["pcre2"])]),
        .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"]), .brew(["zstd"])]),
        library("ByteIO", [orderedCollections]),
        library("ProgressReporting", []),
        // Layer 1
        library("Kernels", ["ByteIO", "CKernels", "COneDNN", "CLAPACK"]),
        library("TensorIR", ["ByteIO", orderedCollections, crypto]),
        // Layer 2
        library("SafetensorsFormat", ["TensorIR"]),
        library("GGUFFormat", ["TensorIR"]),
        // GGUF's own encoding of metadata is also DTZ's.
        library("DTZFormat", ["GGUFFormat", "CKernels", "Kernels", "CZstd", "ProgressReporting"]),
        library(
            "BlockFormats", ["TensorIR", "CKernels", "Kernels"],
            exclude: ["make_codebook_tables.py"]),
        library(
            "Tokenization", ["TensorIR", "CPCRE2"], exclude: ["make_compatibility_table.py"]),
        library("Architectures", ["TensorIR"]),
        library("Jinja", [orderedCollections]),
        // Layer 3
        library("Inference", ["Architectures", "BlockFormats", "Kernels"]),
        library("Quantization", ["BlockFormats", "Kernels"]),
        library("Transforms", ["Architectures", "BlockFormats", "Kernels"]),
        // Layer 4
        library("Calibration", ["Inference", "Quantization", "Transforms", "ProgressReporting"]),
        library("Evaluation", ["Inference", "ProgressReporting"]),
        library("Generation", ["Inference", "Tokenization", "Jinja"]),
        library("Reporting", ["Evaluation", mustache, orderedCollections]),
        .target(
            name: "BundledData", path: "Calibration",
            exclude: ["README.md"],
            resources: [.copy("detent-tiny"), .copy("Corpora")], swiftSettings: strict),
        // Layer 5
        library(
            "Conversion",
            [
                "Calibration", "SafetensorsFormat", "GGUFFormat", "DTZFormat", "Tokenization",
                "ProgressReporting",
            ]),
        // Layer 6
        library("Ladder", ["Conversion", "Evaluation", "Reporting"]),
        // Layer 7
        library("Detent", ["Conversion", "Evaluation", "Generation", "Ladder", "Reporting"]),
        // Layer 8
        library("DetentCLI", ["Detent", "BundledData", argumentParser, yams]),
        executable("DetentTool"),
        executable("QuantizeTool"),
        executable("ConvertTool"),
        executable("EvalpplTool"),
        .executableTarget(
            name: "Benchmarks", dependencies: ["Conversion", "Generation", argumentParser],
            swiftSettings: strict),
        // Tests
        library(
            "TestSupport",
            [
                "TensorIR", "GGUFFormat", "SafetensorsFormat", "Architectures", "Kernels",
                "Evaluation",
            ],
            path: "Tests/TestSupport"),
        tests("ByteIOTests", ["ByteIO"]),
        tests("KernelsTests", ["Kernels"]),
        tests("TensorIRTests", ["TensorIR"]),
        tests("SafetensorsFormatTests", ["SafetensorsFormat"]),
        tests("GGUFFormatTests", ["GGUFFormat"]),
        tests("DTZFormatTests", ["DTZFormat"]),
        tests("BlockFormatsTests", ["BlockFormats"]),
        tests("TokenizationTests", ["Tokenization", "GGUFFormat"], exclude: ["Vectors"]),
        tests("ArchitecturesTests", ["Architectures"]),
        tests(
            "JinjaTests", ["Jinja"],
            exclude: ["Templates", "Conversations.json", "Expected.json", "render.py"]),
        tests("InferenceTests", ["Inference", "Conversion"]),
        tests("GenerationTests", ["Generation", "Conversion"]),
        tests("QuantizationTests", ["Quantization"]),
        tests("CalibrationTests", ["Calibration", "Conversion"]),
        tests("TransformsTests", ["Transforms", "Inference", "Conversion"]),
        tests("EvaluationTests", ["Evaluation"]),
        tests("ReportingTests", ["Reporting"], exclude: ["Golden"]),
        tests(
            "ConformanceTests",
            ["SafetensorsFormat", "GGUFFormat", "DTZFormat", "BlockFormats"]),
        tests(
            "MutationTests",
            [
                "SafetensorsFormat", "GGUFFormat", "DTZFormat", "Tokenization", "Quantization",
                "Evaluation",
            ]),
        tests("ConversionTests", ["Conversion"], exclude: ["Vectors"]),
        tests("CommandTests", ["DetentCLI"], exclude: ["Golden"]),
        tests("EndToEndTests", ["Detent", "BundledData"]),
    ],
    swiftLanguageModes: [.v6]
)
