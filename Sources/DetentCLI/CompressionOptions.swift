import ArgumentParser
import ByteIO
import Conversion
import DTZFormat

/// How hard a DTZ file is worked for.
struct EffortOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "1 (default) codes bits by their frequencies, which is nearly all there is to gain from weights; "
                + "2 to 22 also look for repetitions, as zstd does at that level.",
            valueName: "n"))
    var level: Int?

    @Flag(help: "Look for repetitions far away: chunks of 16 MiB, which are read as a whole.")
    var long = false

    /// - Throws: `ValidationError` for levels that do not exist, and for outputs that have none.
    func check(isCompressed: Bool) throws {
        if let level, !(1...22).contains(level) {
            throw ValidationError("'--level' must be between 1 and 22.")
        }
        if !isCompressed, level != nil || long {
            let option = level == nil ? "--long" : "--level"
            throw ValidationError("'\(option)' is for a '.dtz' output.")
        }
    }

    var options: DTZOptions {
        var options = DTZOptions()
        options.level = level ?? options.level
        options.isLong = long
        return options
    }
}

/// How a DTZ file is written and read.
struct CompressionOptions: ParsableArguments {
    @OptionGroup var effort: EffortOptions

    @Option(
        help: ArgumentHelp(
            "Store the difference from this model where that is smaller; reading a file of differences, the "
                + "model that they are from, unless it lies beside the file.",
            valueName: "model"),
        completion: .file())
    var base: String?

    @Flag(help: "Read a damaged .dtz file: write the tensors that are whole, name the others.")
    var salvage = false

    /// - Throws: `ValidationError` for options that the output has no use for.
    func check(isCompressed: Bool, type: String?) throws {
        try effort.check(isCompressed: isCompressed)
        if salvage, type != nil {
            throw ValidationError("'--salvage' copies tensors as they are; leave out '--type'.")
        }
    }

    /// How the output is written.
    func options(outputPath: String) throws -> DTZOptions {
        var options = effort.options
        if let base, OutputFormat.isCompressed(outputPath) {
            let path = base.hasSuffix("/") ? String(base.dropLast()) : base
            options.base = DTZOptions.Base(
                name: splitPath(path).name, checkpoint: try ModelFile.container(path))
        }
        return options
    }

    /// What the input differs from, where the user says it: an output's base is none of its business.
    func inputBase(outputPath: String) -> String? {
        OutputFormat.isCompressed(outputPath) ? nil : base
    }
}
