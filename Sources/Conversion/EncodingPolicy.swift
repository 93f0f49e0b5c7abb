import Architectures
import TensorIR

/// Which encoding each tensor of an output gets.
struct EncodingPolicy {
    /// What was asked for; nil keeps the source's.
    let requested: Encoding?
    let dialect: Checkpoint.Dialect
    let isOutputTied: Bool

    /// An encoding, and why it is another than the one asked for.
    struct Choice {
        let encoding: Encoding
        var fallback: String?
    }

    func choice(for role: TensorRole, _ source: TensorDescriptor) -> Choice {
        switch dialect {
        case .gguf: ggufChoice(for: role, source)
        case .huggingFace: Choice(encoding: huggingFaceEncoding(for: role, source))
        }
    }

    private func ggufChoice(for role: TensorRole, _ source: TensorDescriptor) -> Choice {
        // llama.cpp computes with vectors in F32 and expects them so.
        guard source.shape.count == 2 else { return Choice(encoding: .scalar(.f32)) }
        guard var wanted = requested else {
            return Choice(encoding: heldByGGUF(source.encoding) ? source.encoding : .scalar(.f32))
        }
        // The output matrix decides every token. Below eight bits it keeps eight, and so does an
        // embedding that doubles as one.
        let isOutput =
            role.module == .output || (role.module == .tokenEmbedding && isOutputTied)
        if isOutput, wanted.isQuantized, wanted.bitsPerWeight < 8 { wanted = .block(.q8_0) }
        guard wanted.byteCount(ofRow: source.columns) == nil else {
            return Choice(encoding: wanted)
        }
        return Choice(
            encoding: .scalar(.f16),
            fallback: "rows of \(source.columns) are not whole blocks of \(wanted.weightsPerBlock)")
    }

    /// Hugging Face folders hold scalars, and GPTQ's integers in the matrices of the layers.
    private func huggingFaceEncoding(
        for role: TensorRole, _ source: TensorDescriptor
    ) -> Encoding {
        if case .grouped? = requested, !role.module.isLinear || role.parameter == .bias {
            return .scalar(.f16)
        }
        if let requested, source.encoding.isFloat || source.encoding.isQuantized {
            return requested
        }
        if case .scalar = source.encoding { return source.encoding }
        return .scalar(.f32)
    }

    private func heldByGGUF(_ encoding: Encoding) -> Bool {
        switch encoding {
        case .block: true
        case .grouped: false
        case .scalar(let type): [.f64, .f32, .f16, .bf16, .i8, .i16, .i32, .i64].contains(type)
        }
    }
}

extension Encoding {
    /// Whether weights share scales.
    public var isQuantized: Bool {
        if case .scalar = self { false } else { true }
    }

    var isFloat: Bool {
        if case .scalar(let type) = self { type.isFloatingPoint } else { false }
    }
}
