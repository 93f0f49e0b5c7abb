import BlockFormats
import Conversion
import TensorIR

/// One file of a ladder: a type, and how its codes are chosen.
public struct Rung: Sendable, Hashable {
    public let type: FileType
    /// Nil for a scalar type, which leaves nothing to choose.
    public let method: QuantizationMethod?

    public init(_ type: FileType, _ method: QuantizationMethod?) {
        self.type = type
        if case .scalar = type { self.method = nil } else { self.method = method }
    }

    /// Every type by every method; scalar types once.
    public static func all(_ types: [FileType], by methods: [QuantizationMethod]) -> [Rung] {
        var rungs: [Rung] = []
        for rung in types.flatMap({ type in methods.map { Rung(type, $0) } })
        where !rungs.contains(rung) { rungs.append(rung) }
        return rungs
    }

    /// `q4_0-gptq`, the file's name without what says that it is a GGUF.
    var name: String { [type.name, method?.rawValue].compactMap(\.self).joined(separator: "-") }
    var fileName: String { name + ".gguf" }
    /// `Q4_0 gptq`
    var title: String {
        [type.name.uppercased(), method?.rawValue].compactMap(\.self).joined(separator: " ")
    }

    var needsCalibration: Bool { method?.needsCalibration ?? false }

    /// Why a method does not go with a type; nil where it does.
    var obstacle: String? {
        guard case .mix(let mix) = type, let method, method != .rtn,
            !Encoding.block(mix.encoding).hasGrid
        else { return nil }
        return "its codes leave \(method.rawValue) nothing to choose"
    }

    /// As `quantize` would make it; `convert` for a scalar type.
    func recipe(_ calibration: Ladder.Calibration?) -> Recipe {
        var recipe: Recipe
        switch type {
        case .scalar(let type): recipe = Recipe(encoding: .scalar(type))
        case .mix(let mix):
            recipe = Recipe(mix: mix, method: method?.usesGPTQ == true ? .gptq : .rtn)
            recipe.scalesChannels = method?.usesAWQ == true
        }
        if needsCalibration, let calibration {
            recipe.calibrationWindows = calibration.windows.ids
            recipe.calibrationDigest = calibration.digest
        }
        return recipe
    }
}
