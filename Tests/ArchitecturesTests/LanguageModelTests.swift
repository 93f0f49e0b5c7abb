import Architectures
import ByteIO
import OrderedCollections
import TensorIR
import TestSupport
import Testing

/// A complete Llama of a few weights, whose parts a test may break.
private struct Parts {
    var configuration: JSON.Members = [
        "model_type": "llama", "hidden_size": 8, "intermediate_size": 16,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
        "vocab_size": 10, "tie_word_embeddings": true,
    ]
    var shapes: OrderedDictionary<String, [Int]> = [
        "model.embed_tokens.weight": [10, 8], "model.norm.weight": [8],
        "model.layers.0.input_layernorm.weight": [8],
        "model.layers.0.self_attn.q_proj.weight": [8, 8],
        "model.layers.0.self_attn.k_proj.weight": [4, 8],
        "model.layers.0.self_attn.v_proj.weight": [4, 8],
        "model.layers.0.self_attn.o_proj.weight": [8, 8],
        "model.layers.0.post_attention_layernorm.weight": [8],
        "model.layers.0.mlp.gate_proj.weight": [16, 8],
        "model.layers.0.mlp.up_proj.weight": [16, 8],
        "model.layers.0.mlp.down_proj.weight": [8, 16],
    ]

    var checkpoint: Checkpoint {
        Checkpoint(
            path: "test", dialect: .huggingFace,
            documents: ["config.json": JSON.object(configuration).bytes()],
            tensors: shapes.compactMap { name, shape in
                TensorDescriptor(name: name, shape: shape, encoding: .scalar(.u8)).map {
                    BufferedTensor($0, bytes: (0..<$0.count).map { UInt8(truncatingIfNeeded: $0) })
                }
            })
    }
}

@Test func knowsEveryTensorOfACompleteModel() throws {
    let model = try LanguageModel(Parts().checkpoint)
    #expect(model.tensors.count == 11)
    #expect(model.description.headSize == 4)
    #expect(model.description.contextLength == 2048)
}

@Test(
    arguments: [
        ("model_type", JSON.string("mamba"), "'model_type' is 'mamba'"),
        ("hidden_act", "mish", "'hidden_act'"), ("hidden_size", 0, "'hidden_size'"),
        ("hidden_size", "8", "'hidden_size'"), ("vocab_size", .number(1e30), "'vocab_size'"),
        ("num_hidden_layers", nil, "'num_hidden_layers'"),
        ("num_key_value_heads", 3, "cannot share"), ("head_dim", 3, "cannot be rotated"),
        ("rope_scaling", ["rope_type": "fresh"], "'fresh'"), ("rope_scaling", 3, "'rope_scaling'"),
        ("rope_scaling", ["type": "linear"], "factor"), ("intermediate_size", 15, "[16, 8]"),
        ("quantization_config", ["quant_method": "gptq"], "'gptq'"),
    ] as [(String, JSON, String)]) func namesTheKeyThatIsWrong(
        key: String, value: JSON, words: String
    )
{
    var parts = Parts()
    parts.configuration[key] = value
    #expect { try LanguageModel(parts.checkpoint) } throws: { "\($0)".contains(words) }
}

@Test func namesTensorsThatAreMissingOrUnknown() {
    for name in Parts().shapes.keys {
        var parts = Parts()
        parts.shapes[name] = nil
        #expect { try LanguageModel(parts.checkpoint) } throws: { "\($0)".contains(name) }
    }
    var parts = Parts()
    parts.shapes["model.layers.0.surprise.weight"] = [1]
    #expect { try LanguageModel(parts.checkpoint) } throws: { "\($0)".contains("surprise") }
    parts = Parts()
    parts.shapes["model.layers.1.mlp.up_proj.weight"] = [16, 8]
    #expect { try LanguageModel(parts.checkpoint) } throws: { "\($0)".contains("1 layers") }
}

/// The stated factor decides, else how much longer the context became.
@Test(arguments: [(JSON?.none, 1.6), (2, 1.2)]) func longRoPEsAttentionFollowsItsFactor(
    stated: JSON?, square: Double
) throws {
    var parts = Parts()
    parts.configuration["max_position_embeddings"] = 256
    let factors = JSON.array([1, 1])
    var rule: JSON.Members = [
        "rope_type": "longrope", "short_factor": factors, "long_factor": factors,
        "original_max_position_embeddings": 32,
    ]
    if let stated { rule["factor"] = stated }
    parts.configuration["rope_scaling"] = .object(rule)
    let description = try LanguageModel(parts.checkpoint).description
    // 1 + ln 8 / ln 32 and 1 + ln 2 / ln 32.
    #expect(abs((description.rotary?.attentionFactor ?? 0) - square.squareRoot()) < 1e-6)
}

@Test func bothDialectsOfRotaryParametersReadAlike() throws {
    var (four, five) = (Parts(), Parts())
    let rule: JSON.Members = ["rope_type": "linear", "factor": 2]
    four.configuration["rope_theta"] = 5000
    four.configuration["rope_scaling"] = .object(rule)
    five.configuration["rope_parameters"] = .object(rule.merging(["rope_theta": 5000]) { $1 })
    let first = try #require(try LanguageModel(four.checkpoint).description.rotary)
    let second = try #require(try LanguageModel(five.checkpoint).description.rotary)
    #expect(first == second)
    #expect(first.scaling == .linear(factor: 2) && first.base == 5000)
}

@Test func exportToGGUFRenamesSortsAndReordersRows() throws {
    let model = try LanguageModel(Parts().checkpoint)
    let exported = try model.exportedTensors(to: .gguf)
    #expect(
        exported.map(\.source.descriptor.name) == [
            "output_norm.weight", "token_embd.weight", "blk.0.attn_k.weight",
            "blk.0.attn_norm.weight", "blk.0.attn_output.weight", "blk.0.attn_q.weight",
            "blk.0.attn_v.weight", "blk.0.ffn_down.weight", "blk.0.ffn_gate.weight",
            "blk.0.ffn_norm.weight", "blk.0.ffn_up.weight",
        ])
    let keys = try #require(exported.first { $0.roles == [TensorRole(.key, layer: 0)] })
    // Rows 0, 1, 2, 3 of a head of four become 0, 2, 1, 3; a row has eight bytes.
    #expect(
        try keys.source.bytes().map { $0 / 8 }
            == [0, 2, 1, 3].flatMap { [UInt8](repeating: $0, count: 8) })
}

@Test func theFilesCopyOfATiedOutputIsLeftOut() throws {
    var parts = Parts()
    parts.shapes["lm_head.weight"] = [10, 8]
    let model = try LanguageModel(parts.checkpoint)
    #expect(model.tensors[TensorRole(.output)] == nil)
    #expect(model.notes.count == 1)
    parts.configuration["tie_word_embeddings"] = false
    #expect(try LanguageModel(parts.checkpoint).tensors[TensorRole(.output)] != nil)
}
