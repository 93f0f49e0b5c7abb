import TensorIR

/// What a whole file becomes, as users spell it: a scalar, or a mix such as `q4_k_m`.
public enum FileType: Sendable, Hashable {
    case scalar(ScalarType)
    case mix(Mix)

    /// - Parameter name: in any case.
    public init?(name: String) {
        if let mix = Mix(name: name) {
            self = .mix(mix)
        } else if let type = FileType.scalars.first(where: { $0.rawValue == name.uppercased() }) {
            self = .scalar(type)
        } else {
            return nil
        }
    }

    private static let scalars: [ScalarType] = [.f32, .f16, .bf16]

    /// `q4_k_m`
    public var name: String {
        switch self {
        case .scalar(let type): type.rawValue.lowercased()
        case .mix(let mix): mix.rawValue.lowercased()
        }
    }

    /// The names that there are.
    public static var names: [String] { scalars.map { $0.rawValue.lowercased() } + mixNames }

    /// Those of mixes.
    public static var mixNames: [String] { Mix.allCases.map { $0.rawValue.lowercased() } }
}
