import ArgumentParser
import BlockFormats
import ByteIO
import Conversion
import TensorIR

/// An encoding as users spell it: `q4_0`, `Q4_0`, `f16`.
struct EncodingName: ExpressibleByArgument {
    let encoding: Encoding

    init?(argument: String) {
        let name = argument.uppercased()
        guard let encoding = EncodingName.writable.first(where: { $0.description == name }) else {
            return nil
        }
        self.encoding = encoding
    }

    static var allValueStrings: [String] { writable.map { $0.description.lowercased() } }

    /// The encodings that this package can write, scalars first.
    static let writable: [Encoding] =
        [.scalar(.f32), .scalar(.f16), .scalar(.bf16)] + grids

    /// Those that quantization can choose codes for.
    static let grids: [Encoding] = [
        .block(.q8_0), .block(.q5_1), .block(.q5_0), .block(.q4_1), .block(.q4_0), .block(.iq4_nl),
    ]
}

/// The grid that a command line asks for, one way or another.
struct GridOptions: ParsableArguments {
    enum Symmetry: String, EnumerableFlag {
        case sym, asym

        static func help(for value: Symmetry) -> ArgumentHelp? {
            switch value {
            case .sym: "Grid without a minimum or zero point: Q8_0, Q5_0, Q4_0 (default)."
            case .asym: "Grid with a minimum or zero point for each block: Q5_1, Q4_1."
            }
        }
    }

    @Option(
        help: ArgumentHelp(
            "Bits per code: 8, 5 or 4 (default) for GGUF, which are Q8_0, Q5_0 and Q4_0; 8, 4, 3 or 2 for a folder.",
            valueName: "n"))
    var bits: Int?

    @Option(
        help: ArgumentHelp(
            "The grid by its GGUF name: q8_0, q5_1, q5_0, q4_1, q4_0 (default) or iq4_nl.",
            valueName: "name"))
    var type: String?

    @Flag var symmetry: Symmetry?

    @Option(
        help: ArgumentHelp(
            "Weights that share a scale: 32 in GGUF, any multiple of 8 in a folder (default: 128).",
            valueName: "n"))
    var groupSize: Int?

    /// The grid for an output: GGUF has its own, folders hold GPTQ's integers in groups of any size.
    /// - Throws: `ValidationError` for a grid that does not exist.
    func encoding(for format: OutputFormat) throws -> Encoding {
        if bits != nil, type != nil {
            throw ValidationError("'--bits' and '--type' both name the grid; use one of them.")
        }
        return format == .gguf ? try ggufGrid() : try integerGrid()
    }

    private func ggufGrid() throws -> Encoding {
        let encoding = try type.map(namedGrid) ?? gridOfBits()
        if type != nil, let symmetry, (symmetry == .asym) != encoding.hasMinimum {
            let kind = encoding.hasMinimum ? "asymmetric" : "symmetric"
            throw ValidationError(
                "'--\(symmetry.rawValue)' contradicts '--type': \(encoding) is \(kind).")
        }
        if let groupSize, groupSize != encoding.weightsPerBlock {
            throw ValidationError(
                "'--group-size \(groupSize)' does not exist in GGUF: \(encoding) shares scales among "
                    + "\(encoding.weightsPerBlock) weights.")
        }
        return encoding
    }

    private func namedGrid(_ name: String) throws -> Encoding {
        let wanted = name.uppercased()
        guard let grid = EncodingName.grids.first(where: { $0.description == wanted }) else {
            let known = EncodingName.grids.map { $0.description.lowercased() }
            throw ValidationError(
                "'--type \(name.escapedForDisplay)' is no grid; there are "
                    + known.joined(separator: ", ") + ".")
        }
        return grid
    }

    private func gridOfBits() throws -> Encoding {
        switch (bits ?? 4, symmetry ?? .sym) {
        case (8, .sym): return .block(.q8_0)
        case (5, .sym): return .block(.q5_0)
        case (5, .asym): return .block(.q5_1)
        case (4, .sym): return .block(.q4_0)
        case (4, .asym): return .block(.q4_1)
        case (8, .asym): throw ValidationError("There is no asymmetric grid of 8 bits in GGUF.")
        default: throw ValidationError("'--bits' must be 8, 5 or 4 for a '.gguf' output.")
        }
    }

    private func integerGrid() throws -> Encoding {
        if type != nil {
            throw ValidationError(
                "'--type' names a grid of GGUF; for a folder, use '--bits' and '--group-size'.")
        }
        let (bits, groupSize) = (bits ?? 4, groupSize ?? 128)
        guard [2, 3, 4, 8].contains(bits) else {
            throw ValidationError("'--bits' must be 2, 3, 4 or 8 for a GPTQ folder.")
        }
        guard groupSize.isMultiple(of: 8), (8...1 << 20).contains(groupSize) else {
            throw ValidationError("'--group-size' must be a positive multiple of 8.")
        }
        return .grouped(
            GroupedAffine(
                bits: bits, groupSize: groupSize,
                offset: symmetry == .asym ? .zeroPoint : .symmetric))
    }
}

extension Encoding {
    fileprivate var hasMinimum: Bool { LevelGrid(self)?.hasMinimum ?? false }
}
