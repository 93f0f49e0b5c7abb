import ArgumentParser
import BundledData
import ByteIO
import Conversion
import Kernels
import ProgressReporting
import Reporting
import TensorIR

/// The version that `--version` prints.
let versionText = "0.1.0"

/// Options of every command that works for longer than a moment.
struct WorkOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Threads to work on; all processors by default. The result does not depend on it.",
            valueName: "n"))
    var threads: Int?

    @Flag(name: .shortAndLong, help: "Show no progress.")
    var quiet = false

    var workers: Workers { Workers(threadCount: threads) }
    var progress: any ProgressSink { TerminalProgress.make(quiet: quiet) }

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("'--threads' must be between 1 and 1024.")
        }
    }
}

extension ModelSummary {
    /// The model under the name that the user knows: the bundled one lies at a path nobody chose.
    init(named checkpoint: Checkpoint) {
        let isBundled = checkpoint.path == BundledData.defaultModelPath
        self.init(checkpoint, name: isBundled ? "detent-tiny (bundled)" : nil)
    }
}

/// What may happen to weights that are quantized already.
struct RequantizingOptions: ParsableArguments {
    @Flag(
        help: ArgumentHelp(
            "Quantize weights again that are quantized already, where they cannot move to the new grid "
                + "without changing."))
    var allowRequantize = false
}

/// Which model is read and what is written.
struct ConversionPaths: ParsableArguments {
    @Argument(
        help: "The model to read, and the file or folder to create.", completion: .file())
    var paths: [String] = []

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The file or folder to create. Without a model, the one that comes with Detent is read.",
            valueName: "path"),
        completion: .file())
    var output: String?

    /// The model as named, or the default one.
    var input: String {
        paths.first ?? BundledData.defaultModelPath
    }

    /// The model's name without its folder, empty for the default one.
    var inputName: String {
        guard let path = paths.first else { return "" }
        return splitPath(path.hasSuffix("/") ? String(path.dropLast()) : path).name
    }

    /// - Throws: `ValidationError` when the paths do not make one input and one output.
    func validate() throws {
        switch (paths.count, output) {
        case (2, nil), (0...1, .some): return
        case (1, nil):
            throw ValidationError(
                "There is one path, '\(paths[0].escapedForDisplay)'; name the model and the output, "
                    + "or the output alone with '-o'.")
        case (0, nil): throw ValidationError("There is no output; name it with '-o'.")
        default: throw ValidationError("There are more paths than a model and an output.")
        }
    }

    /// The output's path, which `validate` has proved to be there.
    var outputPath: String { output ?? paths.last ?? "" }
}

/// A number of bytes with an optional unit: `5GB`, `1.5GiB`, `1048576`.
struct ByteSize: ExpressibleByArgument {
    let byteCount: Int

    init?(argument: String) {
        let digits = argument.prefix { ($0.isASCII && $0.isNumber) || $0 == "." }
        guard let unit = ByteSize.unit(argument.dropFirst(digits.count).uppercased()) else {
            return nil
        }
        // A whole number of bytes is exact; a fraction of a unit is rounded down.
        if let number = Int(digits) {
            let (byteCount, overflow) = number.multipliedReportingOverflow(by: unit)
            guard !overflow, byteCount > 0 else { return nil }
            self.byteCount = byteCount
        } else {
            guard let number = Double(digits),
                let byteCount = Int(exactly: (number * Double(unit)).rounded(.down)),
                byteCount > 0
            else { return nil }
            self.byteCount = byteCount
        }
    }

    private static func unit(_ name: String) -> Int? {
        switch name {
        case "", "B": 1
        case "K", "KB": 1_000
        case "M", "MB": 1_000_000
        case "G", "GB": 1_000_000_000
        case "KIB": 1 << 10
        case "MIB": 1 << 20
        case "GIB": 1 << 30
        default: nil
        }
    }
}
