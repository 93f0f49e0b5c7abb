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

    func choice(for tensor: LanguageModel.ExportedTensor) -> Choice {
        switch dialect {
        case .gguf: ggufChoice(for: tensor)
        case .huggingFace: Choice(encoding: huggingFaceEncoding(for: tensor))
        }
    }

    private func ggufChoice(for tensor: LanguageModel.ExportedTensor) -> Choice {
        // llama.cpp computes with vectors, routers and positions in F32 and expects them so.
        let source = tensor.source.descriptor
        guard tensor.isLinear || tensor.isEmbeddingOrOutput else {
            return Choice(encoding: .scalar(.f32))
        }
        guard var wanted = requested else {
            return Choice(encoding: heldByGGUF(source.encoding) ? source.encoding : .scalar(.f32))
        }
        // The output matrix decides every token. Below eight bits it keeps eight, and so does an
        // embedding that doubles as one.
        let isOutput =
            tensor.roles == [TensorRole(.output)]
            || (tensor.roles == [TensorRole(.tokenEmbedding)] && isOutputTied)
        if isOutput, wanted.isQuantized, wanted.bitsPerWeight < 8 { wanted = .block(.q8_0) }
        guard wanted.byteCount(ofRow: source.columns) == nil else {
            return Choice(encoding: wanted)
        }
        return Choice(
            encoding: .scalar(.f16),
            fallback: "rows of \(source.columns) are not whole blocks of \(wanted.weightsPerBlock)")
    }

    /// Hugging Face folders hold scalars, and GPTQ's integers in the matrices of the layers.
    private func huggingFaceEncoding(for tensor: LanguageModel.ExportedTensor) -> Encoding {
        let source = tensor.source.descriptor
        if case .grouped? = requested, !tensor.isLinear { return .scalar(.f16) }
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

extension LanguageModel.ExportedTensor {
    /// Whether it is the matrix that turns tokens into vectors, or vectors into logits.
    var isEmbeddingOrOutput: Bool {
        roles == [TensorRole(.tokenEmbedding)] || roles == [TensorRole(.output)]
    }
}

extension Encoding {
    var isFloat: Bool {
        if case .scalar(let type) = self { type.isFloatingPoint } else { false }
    }
}
