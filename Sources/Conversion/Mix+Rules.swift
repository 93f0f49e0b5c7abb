import Architectures
import TensorIR

/// What a mix's rules ask about a model.
struct MixTraits {
    /// `general.architecture`
    var architecture = ""
    var layerCount = 0
    var expertCount = 0
    /// Query heads that share one head of keys and values.
    var queriesPerKey = 1
    /// Whether the file has no output matrix of its own.
    var isOutputTied = false
    /// Whether errors will be weighted by what calibration text says of the inputs.
    var hasImportance = false

    /// Llama 2 70B and its kind: eight query heads share small value matrices, which take more bits at
    /// little cost.
    var hasSmallValues: Bool {
        guard layerCount == 80 else { return false }
        return architecture == "qwen2" || (architecture == "llama" && queriesPerKey > 1)
    }
}

/// The matrices that rules tell apart, by the words in their GGUF names.
enum MatrixKind {
    case output, embedding, query, key, value, attentionOutput, gate, up, down, other

    init(name: String) {
        // A packed matrix of queries, keys and values follows the rules for values.
        let words: [(String, MatrixKind)] = [
            ("attn_qkv.weight", .value), ("attn_kv_b.weight", .value), ("attn_v.weight", .value),
            ("attn_k.weight", .key), ("attn_q.weight", .query),
            ("attn_output.weight", .attentionOutput), ("ffn_up", .up), ("ffn_gate", .gate),
            ("ffn_down", .down),
        ]
        self =
            switch name {
            case "output.weight": .output
            case "token_embd.weight": .embedding
            default: words.first { MatrixKind.name(name.utf8, contains: $0.0.utf8) }?.1 ?? .other
            }
    }

    /// By bytes, which names are compared by; to search for characters takes twenty times as long.
    private static func name(_ name: String.UTF8View, contains word: String.UTF8View) -> Bool {
        name.indices.contains { name[$0...].starts(with: word) }
    }
}

/// A mix's rules, applied to the matrices of one model in the order of its file.
///
/// The order matters: "the first eighth of the `ffn_down`" is counted as the matrices come by, and a matrix
/// that the user decides on is not counted. That is how llama.cpp does it.
struct MixRules {
    let mix: Mix
    let traits: MixTraits
    /// Value matrices of the model.
    let valueCount: Int
    private var passed: [MatrixKind: Int] = [:]

    init(_ mix: Mix, traits: MixTraits, names: [String]) {
        (self.mix, self.traits) = (mix, traits)
        valueCount = names.count { MatrixKind(name: $0) == .value }
    }

    /// What the next matrix becomes, and what where its rows do not fit that; nil for the usual fallback.
    ///
    /// - Parameters:
    ///   - name: the tensor's in GGUF.
    ///   - layer: its layer, where it has one.
    ///   - isStack: whether it holds the matrices of several experts.
    /// - Returns: both encodings.
    mutating func choice(
        for name: String, layer: Int?, isStack: Bool
    ) -> (encoding: BlockEncoding, fallback: BlockEncoding?) {
        let kind = MatrixKind(name: name)
        if kind == .output || (kind == .embedding && traits.isOutputTied) { return (output, .q8_0) }
        return (encoding(of: kind, layer: layer, isStack: isStack), nil)
    }

    private mutating func encoding(
        of kind: MatrixKind, layer: Int?, isStack: Bool
    ) -> BlockEncoding {
        if mix == .mxfp4_moe { return isStack ? .mxfp4 : .q8_0 }
        let place = passed[kind, default: 0]
        passed[kind] = place + 1
        // The experts of a layer are several matrices of one kind; there the name says the layer.
        let position = traits.expertCount > 1 ? layer ?? place : place
        let special =
            switch kind {
            case .embedding: embedding
            case .value: value(place)
            case .key: key
            case .query: query
            case .attentionOutput: attentionOutput
            case .gate, .up: isMiddle(position) && mix == .iq3_xs ? .iq3_xxs : nil
            case .down: isTiny ? tinyDown(place) : down(position)
            case .output, .other: nil
            } as BlockEncoding?
        return special ?? mix.encoding
    }

    // MARK: Outside of the layers

    /// The matrix that decides every token.
    private var output: BlockEncoding {
        switch mix {
        case .q8_0, .mxfp4_moe: .q8_0
        case _ where traits.architecture == "falcon": .q8_0
        case .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq2_m, .iq3_xxs: .q5_K
        default: .q6_K
        }
    }

    private var embedding: BlockEncoding? {
        switch mix {
        case .iq1_s, .iq1_m, .iq2_xxs, .iq2_xs: .q2_K
        case .iq2_s, .iq2_m, .iq3_xxs: .iq3_s
        case .tq1_0, .tq2_0: .q4_K
        default: nil
        }
    }

    // MARK: Attention

    private func value(_ place: Int) -> BlockEncoding? {
        if isTiny {
            return sharesKeys || traits.expertCount >= 4 ? .q4_K : tinyStep
        }
        var encoding: BlockEncoding? =
            switch mix {
            case .q2_K: sharesKeys ? .q4_K : .q3_K
            case .iq3_xxs: sharesKeys ? .q4_K : traits.hasImportance ? nil : .iq3_s
            case .q2_K_S, .iq3_xs, .iq3_s: sharesKeys ? .q4_K : nil
            case .iq3_m: .q4_K
            case .q3_K_M: place < 2 ? .q5_K : .q4_K
            case .q3_K_L: .q5_K
            case .iq4_nl, .iq4_xs: sharesKeys ? .q5_K : nil
            case .q4_K_M, .q5_K_M: isWorthMore(place, of: valueCount) ? .q6_K : nil
            case .q4_K_S: place < 4 ? .q5_K : nil
            default: nil
            }
        if traits.hasSmallValues, [.q3_K, .q4_K].contains(encoding ?? mix.encoding) {
            encoding = .q5_K
        }
        return traits.expertCount == 8 ? .q8_0 : encoding
    }

    private var key: BlockEncoding? {
        if traits.expertCount == 8 { return isTiny ? .q4_K : .q8_0 }
        return query
    }

    private var query: BlockEncoding? {
        switch mix {
        case .iq3_xs: .iq3_xxs
        case .iq3_xxs: .iq2_s
        default: nil
        }
    }

    private var attentionOutput: BlockEncoding? {
        if traits.architecture == "falcon", !isTiny { return mix == .q3_K_L ? .q4_K : nil }
        if traits.expertCount == 8 {
            switch mix {
            case .q2_K_S, .q3_K_L, .q4_0, .q4_1, .q5_0, .q5_1, .q5_K_S, .q5_K_M, .q6_K, .q8_0,
                .tq1_0, .tq2_0, .mxfp4_moe, .nvfp4:
                return nil
            default: return .q5_K
            }
        }
        switch mix {
        case .iq1_s, .iq1_m: return .iq2_xxs
        case .iq2_s, .iq2_m, .iq3_xxs: return .iq3_s
        case .q2_K: return .q3_K
        case .q3_K_M, .iq3_m: return .q4_K
        case .q3_K_L: return .q5_K
        default: return nil
        }
    }

    // MARK: Feed-forward

    private func down(_ layer: Int) -> BlockEncoding? {
        let isFirstEighth = layer < traits.layerCount / 8
        let isFirstSixteenth = layer < traits.layerCount / 16
        let isWorthMore = isWorthMore(layer, of: traits.layerCount)
        let isFalcon = traits.architecture == "falcon"
        switch mix {
        case .q2_K: return .q3_K
        case .q2_K_S: return isFirstEighth ? .q4_K : nil
        case .iq3_xxs where !traits.hasImportance: return isFirstEighth ? .q4_K : .q3_K
        case .q3_K_M:
            return isFirstSixteenth ? .q5_K : !isFalcon || isWorthMore ? .q4_K : nil
        case .q3_K_L: return isFalcon ? .q4_K : .q5_K
        case .iq3_m:
            return isFirstEighth || (traits.expertCount == 8 && isWorthMore) ? .q4_K : nil
        case .q4_K_M where isFalcon:
            return isFirstSixteenth ? .q6_K : isWorthMore ? .q5_K : nil
        case .q4_K_M, .q5_K_M: return isWorthMore ? .q6_K : nil
        case .q4_K_S: return isFirstEighth && !isFalcon ? .q5_K : nil
        case .iq4_nl, .iq4_xs: return isFirstEighth && !traits.hasImportance ? .q5_K : nil
        // Types without a minimum suffer in the first layers, even with importance; those with one do
        // only without.
        case .q4_0: return isFirstEighth && traits.hasImportance ? .q4_1 : nil
        case .q5_0: return isFirstEighth && traits.hasImportance ? .q5_1 : nil
        default: return nil
        }
    }

    private func tinyDown(_ place: Int) -> BlockEncoding? {
        place < traits.layerCount / 8 ? tinyStep : nil
    }

    // MARK: Words of the rules

    /// Whether most weights take fewer than three bits: these mixes have rules of their own.
    private var isTiny: Bool {
        [.iq1_s, .iq1_m, .iq2_xxs, .iq2_xs, .iq2_s, .iq2_m].contains(mix)
    }

    /// One step up in such a mix.
    private var tinyStep: BlockEncoding { [.iq2_s, .iq2_m].contains(mix) ? .iq3_s : .q2_K }

    /// Whether keys and values are small beside queries.
    private var sharesKeys: Bool { traits.queriesPerKey >= 4 }

    /// Whether a layer is among the first eighth, the last eighth, or every third of those between.
    private func isWorthMore(_ layer: Int, of count: Int) -> Bool {
        layer < count / 8 || layer >= 7 * count / 8 || (layer - count / 8) % 3 == 2
    }

    private func isMiddle(_ layer: Int) -> Bool {
        (traits.layerCount / 8..<7 * traits.layerCount / 8).contains(layer)
    }
}
