import Architectures
import BlockFormats
import ByteIO
import TensorIR

/// Which encoding each tensor of an output gets: the one place where that is decided.
struct EncodingPolicy {
    /// What was asked for; nil keeps the source's.
    let requested: Encoding?
    let types: TensorTypes
    let dialect: Checkpoint.Dialect
    var traits = MixTraits()

    /// An encoding, and what it stands in for where rows do not fit the one wanted.
    struct Choice {
        let encoding: Encoding
        var fallback: ConversionPlan.Fallback?
    }

    init(_ recipe: Recipe, model: LanguageModel, dialect: Checkpoint.Dialect) {
        requested =
            recipe.budget != nil
            ? .scalar(.f16) : recipe.mix.map { .block($0.encoding) } ?? recipe.encoding
        types = recipe.types
        self.dialect = dialect
        let description = model.description
        traits.architecture = model.family.ggufArchitecture ?? ""
        traits.layerCount = description.layerCount
        traits.expertCount = description.experts?.count ?? 0
        traits.queriesPerKey = description.headCount / max(1, description.keyValueHeadCount)
        traits.hasImportance = recipe.hasStatistics
        mix =
            recipe.budget != nil
            ? nil : recipe.mix ?? requested.flatMap(\.block).flatMap(Mix.init(mostly:))
    }

    private let mix: Mix?
    /// What a budget is spent on, once that is known.
    var allocation: Allocation?

    /// Which tensors are a budget's to decide: all that the user has said nothing about.
    func isFree(_ tensors: [ConversionPlan.Tensor]) throws -> [Bool] {
        var overrides = try OverrideMatcher(types.overrides)
        var traits = traits
        traits.isOutputTied = !tensors.contains { $0.target.name == "output.weight" }
        return tensors.map { tensor in
            let name = tensor.target.name
            let manual = manual(MatrixKind(name: name), overrides.encoding(of: name), traits)
            return tensor.exported?.mayBeQuantized == true && manual == nil
        }
    }

    /// One choice for each tensor.
    ///
    /// - Parameter tensors: all of an output, in its order.
    /// - Returns: as many choices.
    /// - Throws: `ModelError` for an override that matches nothing, and for fallbacks where none are wanted.
    func choices(for tensors: [LanguageModel.ExportedTensor]) throws -> [Choice] {
        guard dialect == .gguf else {
            return tensors.map { Choice(encoding: huggingFaceEncoding(for: $0)) }
        }
        let names = tensors.map(\.source.descriptor.name)
        var traits = traits
        traits.isOutputTied = !names.contains("output.weight")
        var overrides = try OverrideMatcher(types.overrides)
        var rules = mix.map { MixRules($0, traits: traits, names: names) }
        let choices = tensors.enumerated().map { index, tensor in
            if let encoding = allocation?.encodings[index] { return Choice(encoding: encoding) }
            // llama.cpp computes with vectors, routers and positions in F32 and expects them so.
            guard tensor.mayBeQuantized else { return Choice(encoding: .scalar(.f32)) }
            let name = tensor.source.descriptor.name
            let manual = manual(MatrixKind(name: name), overrides.encoding(of: name), traits)
            return ggufChoice(for: tensor, manual: manual, rules: &rules)
        }
        try overrides.checkAllUsed()
        if !types.allowsFallback { try refuseFallbacks(choices, names: names) }
        return choices
    }

    /// What the user decided about a matrix. More special options come before more general ones.
    private func manual(_ kind: MatrixKind, _ override: Encoding?, _ traits: MixTraits) -> Encoding?
    {
        switch kind {
        case .embedding: types.embedding ?? override ?? (traits.isOutputTied ? types.output : nil)
        case .output: types.output ?? override
        default: override
        }
    }

    private func ggufChoice(
        for tensor: LanguageModel.ExportedTensor, manual: Encoding?, rules: inout MixRules?
    ) -> Choice {
        let source = tensor.source.descriptor
        if let manual { return fitting(manual, source) }
        guard let requested else {
            return Choice(encoding: heldByGGUF(source.encoding) ? source.encoding : .scalar(.f32))
        }
        guard !types.isPure,
            let choice = rules?.choice(
                for: source.name, layer: tensor.roles.first?.layer,
                isStack: tensor.pieces.count > 1)
        else { return fitting(requested, source) }
        if let smaller = choice.fallback, !isWritable(choice.encoding) {
            return Choice(encoding: .block(smaller))
        }
        return fitting(.block(choice.encoding), source, fallback: choice.fallback)
    }

    /// Whether this version has an encoder, so that outputs of types without one keep eight bits.
    private func isWritable(_ encoding: BlockEncoding) -> Bool {
        do {
            return try RowCodec(.block(encoding), columns: encoding.weightsPerBlock).canEncode
        } catch {
            return false
        }
    }

    /// The encoding, or the one that llama.cpp takes in its place where rows are no whole blocks.
    private func fitting(
        _ wanted: Encoding, _ source: TensorDescriptor, fallback: BlockEncoding? = nil
    ) -> Choice {
        guard wanted.byteCount(ofRow: source.columns) == nil, case .block(let block) = wanted else {
            return Choice(encoding: wanted)
        }
        let reason = "rows of \(source.columns) are not whole blocks of \(wanted.weightsPerBlock)"
        let smaller = (fallback ?? block.fallback).map { Encoding.block($0) }
        let fits = smaller?.byteCount(ofRow: source.columns) != nil
        return Choice(
            encoding: (fits ? smaller : nil) ?? .scalar(.f16),
            fallback: ConversionPlan.Fallback(wanted: wanted, reason: reason))
    }

    private func refuseFallbacks(_ choices: [Choice], names: [String]) throws(ModelError) {
        let refused = zip(names, choices).filter { $0.1.fallback != nil }
        guard let first = refused.first?.1.fallback else { return }
        let list = refused.map {
            "\($0.0.escapedForDisplay) (\($0.1.fallback?.wanted ?? $0.1.encoding) as \($0.1.encoding))"
        }
        throw ModelError(
            "\(refused.count) tensors would need another type, \(first.reason): "
                + list.joined(separator: ", "))
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

    /// Whether GGUF files hold it in other types than F32.
    var mayBeQuantized: Bool { isLinear || isEmbeddingOrOutput }
}

extension BlockEncoding {
    /// What llama.cpp takes where rows are not whole blocks of 256 weights: a type of blocks of 32, with
    /// more bits.
    fileprivate var fallback: BlockEncoding? {
        switch self {
        case .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s, .iq4_xs: .iq4_nl
        case .q2_K, .q3_K, .tq1_0, .tq2_0: .q4_0
        case .q4_K: .q5_0
        case .q5_K: .q5_1
        case .q6_K: .q8_0
        default: nil
        }
    }
}

extension Encoding {
    var isFloat: Bool {
        if case .scalar(let type) = self { type.isFloatingPoint } else { false }
    }

    fileprivate var block: BlockEncoding? {
        if case .block(let encoding) = self { encoding } else { nil }
    }
}
