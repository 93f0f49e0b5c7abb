import ByteIO
import TensorIR
import TestSupport
import Testing

@testable import Architectures

/// A configuration with small sizes, and what it changes in them.
private struct Variation: CustomTestStringConvertible, Sendable {
    let modelType: String
    let members: JSON.Members

    init(_ modelType: String, _ members: JSON.Members = [:]) {
        (self.modelType, self.members) = (modelType, members)
    }

    var testDescription: String { "\(modelType) \(JSON.object(members).text())" }

    /// Sizes under every name that a family might ask for.
    var configuration: JSON {
        var all: JSON.Members = [
            "hidden_size": 16, "n_embd": 16, "d_model": 16, "num_hidden_layers": 4, "n_layer": 4,
            "num_layers": 4, "n_layers": 4, "num_attention_heads": 4, "n_head": 4, "num_heads": 4,
            "n_heads": 4, "num_key_value_heads": 2, "intermediate_size": 24, "ffn_dim": 24,
            "vocab_size": 12, "max_position_embeddings": 32, "n_positions": 32,
            "max_seq_len": 32, "head_dim": 8, "rotary_dim": 2, "num_experts": 3,
            "num_local_experts": 3, "num_experts_per_tok": 2, "moe_intermediate_size": 10,
            "shared_expert_intermediate_size": 6, "query_pre_attn_scalar": 8,
            "norm_topk_prob": true,
        ]
        if ["gpt_neox", "stablelm", "phi"].contains(modelType) {
            all["partial_rotary_factor"] = 0.5
        }
        all.merge(members) { $1 }
        all["model_type"] = .string(modelType)
        return .object(all)
    }

    /// A checkpoint with every tensor that the configuration asks for, of random floats.
    func checkpoint() throws -> Checkpoint {
        let family = try #require(Family.all.first { $0.modelType == modelType })
        let description = try family.describe(Configuration(json: configuration))
        let required = Set(description.requiredRoles)
        var generator = SeededGenerator(seed: 7)
        var tensors: [any TensorSource] = []
        for layout in family.huggingFaceTensors where layout.isUsed(description) {
            for instance in layout.instances(in: description) {
                let count = description.experts?.count ?? 0
                let roles = layout.roles(of: instance, expertCount: count)
                guard roles.allSatisfy(required.contains) else { continue }
                var shape = layout.shape(of: instance, in: description)
                if layout.isTransposed, shape.count == 2 { shape.reverse() }
                let descriptor = try #require(
                    TensorDescriptor(
                        name: layout.name(of: instance), shape: shape, encoding: .scalar(.f32)))
                let bytes = (0..<descriptor.count).flatMap { _ in
                    let value = Float.random(in: -1...1, using: &generator)
                    return withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) }
                }
                tensors.append(BufferedTensor(descriptor, bytes: bytes))
            }
        }
        return Checkpoint(
            path: "test", dialect: .huggingFace,
            documents: ["config.json": configuration.bytes()], tensors: tensors)
    }
}

private let variations = [
    Variation("llama"), Variation("llama", ["attention_bias": true, "mlp_bias": true]),
    Variation(
        "llama",
        [
            "rope_scaling": [
                "rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
                "original_max_position_embeddings": 64,
            ]
        ]),
    Variation(
        "llama",
        [
            "rope_scaling": [
                "rope_type": "llama3", "factor": 5, "low_freq_factor": 1.5,
                "high_freq_factor": 7, "original_max_position_embeddings": 100,
            ]
        ]),
    Variation("llama", ["rope_scaling": ["type": "dynamic", "factor": 2], "hidden_act": "gelu"]),
    Variation("llama", ["rope_parameters": ["rope_type": "yarn", "factor": 4, "rope_theta": 1e5]]),
    Variation(
        "llama",
        [
            "rope_scaling": [
                "type": "yarn", "factor": 4, "beta_fast": 16, "attention_factor": 1.25,
                "truncate": false, "original_max_position_embeddings": 16,
            ]
        ]),
    Variation("mistral", ["sliding_window": 8]), Variation("mistral", ["sliding_window": nil]),
    Variation("mixtral"), Variation("mixtral", ["sliding_window": 8]),
    Variation("qwen2", ["head_dim": 4]),
    Variation("qwen2", ["use_sliding_window": true, "sliding_window": 8, "max_window_layers": 2]),
    Variation("qwen2_moe", ["norm_topk_prob": false]),
    Variation("qwen2_moe", ["mlp_only_layers": [1], "qkv_bias": false]),
    Variation("qwen3"), Variation("qwen3", ["attention_bias": true]),
    Variation("qwen3_moe"), Variation("qwen3_moe", ["norm_topk_prob": false]),
    Variation("gemma"), Variation("gemma2", ["sliding_window": 8]),
    Variation("gemma2", ["attn_logit_softcapping": nil, "query_pre_attn_scalar": 5]),
    Variation("gemma3_text", ["sliding_window": 8]),
    Variation("gemma3_text", ["sliding_window": 8, "sliding_window_pattern": 2]),
    Variation("phi"), Variation("phi", ["qk_layernorm": true]),
    Variation("phi3"), Variation("phi3", ["sliding_window": 8]),
    Variation(
        "phi3",
        [
            "original_max_position_embeddings": 16,
            "rope_scaling": [
                "type": "longrope", "short_factor": [1, 1.5, 2, 3], "long_factor": [1, 2, 3, 4],
            ],
        ]),
    Variation("gpt2"), Variation("gpt2", ["scale_attn_by_inverse_layer_idx": true]),
    Variation("gpt_neo", ["attention_types": [[["global", "local"], 2]]]), Variation("gptj"),
    Variation("gptj", ["tie_word_embeddings": true]),
    Variation("phi", ["tie_word_embeddings": true]),
    Variation("gpt_neox", ["rotary_pct": 0.5]),
    Variation("gpt_neox", ["rotary_pct": 0.5, "use_parallel_residual": false]),
    Variation("gpt_neox", ["rotary_pct": 0.5, "attention_bias": false]),
    Variation("bloom"), Variation("bloom", ["apply_residual_connection_post_layernorm": true]),
    Variation("mpt", ["attn_config": ["clip_qkv": 6]]),
    Variation("falcon"), Variation("falcon", ["multi_query": false, "bias": true]),
    Variation("falcon", ["new_decoder_architecture": true, "num_kv_heads": 2]),
    Variation("falcon", ["alibi": true, "parallel_attn": false, "multi_query": false]),
    Variation("opt"), Variation("opt", ["word_embed_proj_dim": 8, "do_layer_norm_before": false]),
    Variation("stablelm"),
    Variation("stablelm", ["qk_layernorm": true, "use_parallel_residual": true]),
    Variation("starcoder2"), Variation("starcoder2", ["use_bias": false]),
    Variation("olmo"), Variation("olmo", ["clip_qkv": 8]), Variation("olmo2"),
    Variation(
        "granite", ["embedding_multiplier": 12, "residual_multiplier": 0.22, "logits_scaling": 13]),
    Variation("cohere"), Variation("cohere", ["use_qk_norm": true, "logit_scale": 0.25]),
    Variation("smollm3"), Variation("smollm3", ["no_rope_layers": [1, 0, 1, 1]]),
]

@Test func everyFamilyIsVaried() {
    #expect(Set(variations.map(\.modelType)) == Set(Family.all.map(\.modelType)))
}

@Test(arguments: variations) private func aConfigurationStatesWhatWasReadFromIt(
    variation: Variation
) throws {
    let model = try LanguageModel(variation.checkpoint())
    let written = JSON.object(try model.configurationMembers())
    #expect(try model.family.describe(Configuration(json: written)) == model.description)
}

@Test(arguments: variations) private func everyTensorSurvivesTheWayThroughGGUF(
    variation: Variation
) throws {
    let source = try variation.checkpoint()
    let model = try LanguageModel(source)
    guard let architecture = model.family.ggufArchitecture else {
        #expect(throws: ModelError.self) { try model.exportedTensors(to: .gguf) }
        return
    }
    var metadata = try model.architectureMetadata().metadata
    metadata["general.architecture"] = .string(architecture)
    let gguf = try LanguageModel(
        Checkpoint(
            path: "test", dialect: .gguf, metadata: metadata,
            tensors: model.exportedTensors(to: .gguf).map(\.source)))

    // The same model, but for what llama.cpp's loader insists on.
    var stated = model.description.inGGUF(of: model.family)
    if case .llama3? = stated.rotary?.scaling, case .factors? = gguf.description.rotary?.scaling {
        stated.rotary?.scaling = gguf.description.rotary?.scaling ?? .none
    }
    #expect(gguf.description.firstDifference(from: stated) == nil)
    #expect(gguf.family.ggufArchitecture == architecture)

    // Every tensor of the source is there again, to the bit.
    let back = try gguf.exportedTensors(to: .huggingFace)
    var found: [String: any TensorSource] = [:]
    for tensor in back {
        found[tensor.source.descriptor.name] =
            tensor.isTransposed ? TransposedTensor(tensor.source) : tensor.source
    }
    for tensor in source.tensors {
        let again = try #require(found[tensor.descriptor.name])
        #expect(again.descriptor.shape == tensor.descriptor.shape)
        let isExact = model.family.base.norm.gainOffset == 0
        if isExact {
            #expect(try again.bytes() == tensor.bytes(), "\(tensor.descriptor.name)")
        } else {
            let pairs = zip(try again.floats(), try tensor.floats())
            #expect(pairs.allSatisfy { abs($0 - $1) < 1e-6 }, "\(tensor.descriptor.name)")
        }
    }
}

@Test(arguments: variations) private func aVectorOfAGGUFMayBeAMatrixOfOneRow(
    variation: Variation
) throws {
    let model = try LanguageModel(variation.checkpoint())
    guard let architecture = model.family.ggufArchitecture else { return }
    var metadata = try model.architectureMetadata().metadata
    metadata["general.architecture"] = .string(architecture)
    let tensors = try model.exportedTensors(to: .gguf).map(\.source)
    let matrices = tensors.map { tensor in
        let (name, shape) = (tensor.descriptor.name, tensor.descriptor.shape)
        return shape.count == 1 ? RenamedTensor(tensor, name: name, shape: [1] + shape) : tensor
    }
    let vectors = try LanguageModel(
        Checkpoint(path: "test", dialect: .gguf, metadata: metadata, tensors: tensors))
    let rows = try LanguageModel(
        Checkpoint(path: "test", dialect: .gguf, metadata: metadata, tensors: matrices))
    #expect(rows.description == vectors.description)
    for (role, vector) in vectors.tensors {
        #expect(try rows.tensors[role]?.bytes() == vector.bytes(), "\(role)")
    }
}

/// Values that no configuration should have, of every kind and size.
private let strangeValues: [JSON] = [
    0, -1, 1, 3, .integer(.max), .integer(.min), .integer(1 << 30), 1e300, -1e300, 0.5, true, "",
    "x", nil, [], [[]], [1], [nil], ["full_attention"], [:], ["factor": 0],
    ["rope_type": "yarn", "factor": 1e300], ["rope_type": "llama3"], ["type": "dynamic"],
    ["full_attention": 3],
]

@Test(arguments: variations) private func aStrangeConfigurationIsAnErrorAndNeverACrash(
    variation: Variation
) throws {
    let family = try #require(Family.all.first { $0.modelType == variation.modelType })
    let checkpoint = try variation.checkpoint()
    let keys = try family.configuration(
        family.describe(Configuration(json: variation.configuration))
    ).keys
    var generator = SeededGenerator(seed: 11)
    for key in keys where key != "model_type" {
        for value in strangeValues.shuffled(using: &generator).prefix(3) {
            guard case .object(var members) = variation.configuration else { continue }
            members[key] = value
            let strange = Checkpoint(
                path: "test", dialect: .huggingFace,
                documents: ["config.json": JSON.object(members).bytes()],
                tensors: checkpoint.tensors)
            do {
                let model = try LanguageModel(strange)
                if family.ggufArchitecture != nil { _ = try model.exportedTensors(to: .gguf) }
                _ = model.description.rotary?.frequencies(positionCount: 64)
            } catch let error as ModelError {
                #expect(!error.description.isEmpty)
            }
        }
    }
}

@Test(arguments: variations) private func strangeKeysOfAGGUFAreAnErrorAndNeverACrash(
    variation: Variation
) throws {
    let model = try LanguageModel(variation.checkpoint())
    guard let architecture = model.family.ggufArchitecture else { return }
    var metadata = try model.architectureMetadata().metadata
    metadata["general.architecture"] = .string(architecture)
    let tensors = try model.exportedTensors(to: .gguf).map(\.source)
    let values: [MetadataValue] = [
        .uint32(0), .uint32(1), .uint32(.max), .int64(-1), .uint64(.max), .float32(.nan),
        .float32(0), .float32(.greatestFiniteMagnitude), .string("yarn"), .string(""),
        .bool(true), .array(.bool([])), .array(.uint32([1])),
    ]
    var generator = SeededGenerator(seed: 13)
    for key in metadata.keys where key != "general.architecture" {
        for value in values.shuffled(using: &generator).prefix(2) {
            var strange = metadata
            strange[key] = value
            do {
                _ = try LanguageModel(
                    Checkpoint(path: "test", dialect: .gguf, metadata: strange, tensors: tensors))
            } catch let error as ModelError {
                #expect(!error.description.isEmpty)
            } catch let error as FormatError {
                #expect(!error.description.isEmpty)
            }
        }
    }
}

@Test(
    arguments: [
        ("bloom", ["apply_residual_connection_post_layernorm": 1], "apply_residual"),
        ("gptj", ["rotary_dim": nil], "rotary_dim"),
        ("mpt", ["attn_config": ["alibi_bias_max": 4]], "attn_config.alibi_bias_max"),
        ("gemma3_text", ["use_bidirectional_attention": true], "use_bidirectional_attention"),
        ("gpt_neo", ["attention_types": [[["global", "near"], 2]]], "attention_types"),
        ("smollm3", ["no_rope_layers": [1]], "no_rope_layers"),
        ("qwen2", ["layer_types": ["full_attention"]], "layer_types"),
        ("mixtral", ["num_experts_per_tok": 4], "4 of 3 experts"),
        ("phi3", ["rope_scaling": ["type": "longrope"]], "rope_scaling.short_factor"),
        ("falcon", ["parallel_attn": false, "new_decoder_architecture": true], "parallel_attn"),
    ] as [(String, JSON.Members, String)]) func refusesAnOptionByTheNameOfItsKey(
        modelType: String, members: JSON.Members, words: String
    ) throws
{
    let variation = Variation(modelType, members)
    let family = try #require(Family.all.first { $0.modelType == modelType })
    #expect {
        _ = try family.describe(Configuration(json: variation.configuration))
    } throws: { "\($0)".contains(words) }
}
