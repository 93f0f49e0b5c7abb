import Architectures
import ByteIO
import Generation
import Inference
import Kernels
import TensorIR
import TestSupport

/// A Llama of two layers with seeded weights, small enough to try every text that it could write.
struct RandomModel {
    var vocabularySize = 40
    var contextLength = 64
    /// Of a second set of seeded weights that is mixed in, which makes a draft of a model.
    var noise: Float = 0

    func make(seed: UInt64 = 1) throws -> LanguageModel {
        let (hidden, feedForward) = (16, 24)
        var shapes: [(String, [Int])] = [
            ("model.embed_tokens.weight", [vocabularySize, hidden]),
            ("model.norm.weight", [hidden]),
            ("lm_head.weight", [vocabularySize, hidden]),
        ]
        for layer in 0..<2 {
            for (name, shape) in [
                ("input_layernorm", [hidden]), ("post_attention_layernorm", [hidden]),
                ("self_attn.q_proj", [hidden, hidden]), ("self_attn.k_proj", [hidden / 2, hidden]),
                ("self_attn.v_proj", [hidden / 2, hidden]), ("self_attn.o_proj", [hidden, hidden]),
                ("mlp.gate_proj", [feedForward, hidden]), ("mlp.up_proj", [feedForward, hidden]),
                ("mlp.down_proj", [hidden, feedForward]),
            ] {
                shapes.append(("model.layers.\(layer).\(name).weight", shape))
            }
        }
        let configuration: JSON = [
            "model_type": "llama", "hidden_size": .integer(hidden),
            "intermediate_size": .integer(feedForward), "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1,
            "vocab_size": .integer(vocabularySize), "tie_word_embeddings": false,
            "max_position_embeddings": .integer(contextLength),
        ]
        var (weights, others) = (SeededGenerator(seed: seed), SeededGenerator(seed: seed + 1000))
        let tensors = shapes.compactMap { name, shape in
            TensorDescriptor(name: name, shape: shape, encoding: .scalar(.f32)).map { descriptor in
                let values = zip(
                    weights.normals(descriptor.count), others.normals(descriptor.count)
                )
                .map { ($0 + noise * $1) * (shape.count == 1 ? 1 : 0.4) }
                return BufferedTensor(descriptor, bytes: values.withUnsafeBytes { Array($0) })
            }
        }
        return try LanguageModel(
            Checkpoint(
                path: "random", dialect: .huggingFace,
                documents: ["config.json": configuration.bytes()], tensors: tensors))
    }
}

extension LanguageModel {
    /// The logits after every token, by running the whole text at once.
    func logits(of ids: [Int32]) throws -> [[Float]] {
        let decoder = try Decoder(
            self, positionCount: ids.count, workers: Workers(threadCount: 1))
        let hidden = try decoder.hiddenStates(of: TokenBatch([ids]))
        let logits = Matrix(rows: ids.count, columns: description.vocabularySize)
        try decoder.logits(of: hidden, rows: Array(0..<ids.count), into: logits.elements)
        return (0..<ids.count).map { Array(logits.row($0)) }
    }
}
