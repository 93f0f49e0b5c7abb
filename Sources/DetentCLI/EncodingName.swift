import ArgumentParser
import ByteIO
import Conversion
import TensorIR

/// An encoding as users spell it: `q4_0`, `Q4_0`, `f16`.
struct EncodingName {
    let encoding: Encoding

    init?(argument: String) {
        let name = argument.uppercased()
        guard let encoding = EncodingName.all.first(where: { $0.description == name }) else {
            return nil
        }
        self.encoding = encoding
    }

    /// What there is, for messages.
    static let list =
        "types are " + all.map { $0.description.lowercased() }.joined(separator: ", ") + "."

    /// The scalars, and what mixes are made of.
    private static let all: [Encoding] =
        [.scalar(.f32), .scalar(.f16), .scalar(.bf16)]
        + BlockEncoding.allCases.filter(Set(Mix.allCases.map(\.encoding)).contains)
        .map { .block($0) }
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
            "The grid by its GGUF name, a mix with the types of llama.cpp: "
                + FileType.mixNames.joined(separator: ", ") + " (default: q4_0).",
            valueName: "name"))
    var type: String?

    @Flag var symmetry: Symmetry?

    @Option(
        help: ArgumentHelp(
            "Weights that share a scale: 32 in GGUF, any multiple of 8 in a folder (default: 128).",
            valueName: "n"))
    var groupSize: Int?

    /// A recipe for an output: GGUF has grids of its own, folders hold GPTQ's integers in groups of any
    /// size.
    /// - Throws: `ValidationError` for a grid that does not exist.
    func recipe(for format: OutputFormat, method: Recipe.Method) throws -> Recipe {
        if bits != nil, type != nil {
            throw ValidationError("'--bits' and '--type' both name the grid; use one of them.")
        }
        return format == .gguf
            ? Recipe(mix: try mix(), method: method)
            : Recipe(encoding: .grouped(try integerGrid()), method: method)
    }

    private func mix() throws -> Mix {
        let mix = try type.map(namedMix) ?? mixOfBits()
        let encoding = mix.encoding
        if type != nil, let symmetry, (symmetry == .asym) != encoding.hasMinimum {
            let kind = encoding.hasMinimum ? "asymmetric" : "symmetric"
            throw ValidationError(
                "'--\(symmetry.rawValue)' contradicts '--type': \(encoding.rawValue) is \(kind).")
        }
        if let groupSize, groupSize != encoding.weightsPerBlock {
            throw ValidationError(
                "'--group-size \(groupSize)' does not exist in GGUF: \(encoding.rawValue) shares scales "
                    + "among \(encoding.weightsPerBlock) weights.")
        }
        return mix
    }

    private func namedMix(_ name: String) throws -> Mix {
        guard let mix = Mix(name: name) else {
            throw ValidationError(
                "'--type \(name.escapedForDisplay)' is no grid; there are "
                    + FileType.mixNames.joined(separator: ", ") + ".")
        }
        return mix
    }

    private func mixOfBits() throws -> Mix {
        switch (bits ?? 4, symmetry ?? .sym) {
        case (8, .sym): return .q8_0
        case (5, .sym): return .q5_0
        case (5, .asym): return .q5_1
        case (4, .sym): return .q4_0
        case (4, .asym): return .q4_1
        case (8, .asym): throw ValidationError("There is no asymmetric grid of 8 bits in GGUF.")
        default: throw ValidationError("'--bits' must be 8, 5 or 4 for a '.gguf' output.")
        }
    }

    private func integerGrid() throws -> GroupedAffine {
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
        return GroupedAffine(
            bits: bits, groupSize: groupSize, offset: symmetry == .asym ? .zeroPoint : .symmetric)
    }
}

extension BlockEncoding {
    fileprivate var hasMinimum: Bool {
        switch self {
        case .q4_1, .q5_1, .q8_1, .q2_K, .q4_K, .q5_K: true
        default: false
        }
    }
}
