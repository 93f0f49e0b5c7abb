import ArgumentParser
import BlockFormats
import ByteIO
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
            case .sym: "Grid without a minimum: Q8_0, Q5_0, Q4_0 (default)."
            case .asym: "Grid with a minimum for each block: Q5_1, Q4_1."
            }
        }
    }

    @Option(
        help: ArgumentHelp(
            "Bits per code: 8, 5 or 4, which are Q8_0, Q5_0 and Q4_0.", valueName: "n"))
    var bits: Int?

    @Option(
        help: ArgumentHelp(
            "The grid by its GGUF name: q8_0, q5_1, q5_0, q4_1, q4_0 (default) or iq4_nl.",
            valueName: "name"))
    var type: String?

    @Flag var symmetry: Symmetry?

    @Option(
        help: ArgumentHelp("Weights that share a scale; the grids of GGUF have 32.", valueName: "n"))
    var groupSize: Int?

    func validate() throws {
        if bits != nil, type != nil {
            throw ValidationError("'--bits' and '--type' both name the grid; use one of them.")
        }
        let encoding = try self.encoding()
        if type != nil, let symmetry, (symmetry == .asym) != encoding.hasMinimum {
            let kind = encoding.hasMinimum ? "asymmetric" : "symmetric"
            throw ValidationError(
                "'--\(symmetry.rawValue)' contradicts '--type': \(encoding) is \(kind).")
        }
        if let groupSize, groupSize != encoding.weightsPerBlock {
            throw ValidationError(
                "'--group-size \(groupSize)' does not exist: \(encoding) shares scales among "
                    + "\(encoding.weightsPerBlock) weights.")
        }
    }

    /// - Throws: `ValidationError` for a grid that does not exist.
    func encoding() throws -> Encoding {
        if let type {
            let name = type.uppercased()
            guard let grid = EncodingName.grids.first(where: { $0.description == name }) else {
                let known = EncodingName.grids.map { $0.description.lowercased() }
                throw ValidationError(
                    "'--type \(type.escapedForDisplay)' is no grid; there are "
                        + known.joined(separator: ", ") + ".")
            }
            return grid
        }
        switch (bits ?? 4, symmetry ?? .sym) {
        case (8, .sym): return .block(.q8_0)
        case (5, .sym): return .block(.q5_0)
        case (5, .asym): return .block(.q5_1)
        case (4, .sym): return .block(.q4_0)
        case (4, .asym): return .block(.q4_1)
        case (8, .asym): throw ValidationError("There is no asymmetric grid of 8 bits.")
        default: throw ValidationError("'--bits' must be 8, 5 or 4.")
        }
    }
}

extension Encoding {
    fileprivate var hasMinimum: Bool { LevelGrid(self)?.hasMinimum ?? false }
}
