import Architectures
import ByteIO
import OrderedCollections
import SafetensorsFormat
import TensorIR
import Tokenization

extension ConversionPlan {
    /// What an output says about the model beside its tensors.
    struct Description {
        var metadata: Metadata = [:]
        var documents: OrderedDictionary<String, [UInt8]> = [:]
        var notes: [String] = []

        /// States the layout of the integers where loaders look for it.
        mutating func addGPTQ(_ encoding: GroupedAffine, dampingFraction: Float) throws {
            let settings = GPTQCheckpoint.configuration(encoding, dampingFraction: dampingFraction)
            documents["quantize_config.json"] = settings.bytes(indentation: 2)
            guard let bytes = documents["config.json"],
                case .object(var members) = try JSON(parsing: bytes, subject: "config.json")
            else { return }
            members["quantization_config"] = settings
            documents["config.json"] = JSON.object(members).bytes(indentation: 2)
        }
    }

    /// What the output says; `tokenizer` is the model's, nil where it is not read yet.
    static func describe(
        _ model: LanguageModel, _ tokenizer: TokenizerDefinition?, format: OutputFormat,
        recipe: Recipe, tensors: [Tensor]
    ) throws -> Description {
        var description = try plainDescription(
            model, tokenizer, format: format, recipe: recipe, tensors: tensors)
        if case .grouped(let grouped)? = recipe.encoding, format.dialect == .huggingFace {
            try description.addGPTQ(grouped, dampingFraction: recipe.dampingFraction)
        }
        // What an earlier recipe made of the source is no longer true of this output.
        if !recipe.keepsEncodings {
            for key in Provenance.keys { description.metadata[key] = nil }
        }
        description.metadata.merge(recipe.provenance) { $1 }
        return description
    }

    private static func plainDescription(
        _ model: LanguageModel, _ tokenizer: TokenizerDefinition?, format: OutputFormat,
        recipe: Recipe, tensors: [Tensor]
    ) throws -> Description {
        let tokenizer = { try tokenizer ?? TokenizerDefinition(checkpoint: model.checkpoint) }
        switch (model.checkpoint.dialect, format.dialect) {
        case (.gguf, .gguf):
            var metadata = model.checkpoint.metadata
            metadata["general.quantization_version"] = .uint32(2)
            metadata["general.file_type"] = .uint32(fileType(recipe, tensors))
            return Description(metadata: metadata)
        case (.huggingFace, .gguf):
            return try ggufDescription(model, tokenizer(), recipe: recipe, tensors: tensors)
        case (.gguf, .huggingFace):
            return try huggingFaceDescription(model, tokenizer(), tensors: tensors)
        case (.huggingFace, .huggingFace):
            var documents = model.checkpoint.documents
            if case .object(var members)? = try model.checkpoint.json("config.json") {
                let key = members["dtype"] == nil ? "torch_dtype" : "dtype"
                members[key] = .string(typeName(tensors))
                documents["config.json"] = JSON.object(members).bytes(indentation: 2)
            }
            return Description(metadata: model.checkpoint.metadata, documents: documents)
        }
    }

    private static func ggufDescription(
        _ model: LanguageModel, _ tokenizer: TokenizerDefinition, recipe: Recipe,
        tensors: [Tensor]
    ) throws -> Description {
        var metadata: Metadata = [
            "general.architecture": .string(model.family.ggufArchitecture ?? ""),
            "general.type": .string("model"),
            "general.name": .string(name(of: model.checkpoint)),
        ]
        let architecture = try model.architectureMetadata()
        metadata.merge(architecture.metadata) { $1 }
        metadata["general.file_type"] = .uint32(fileType(recipe, tensors))
        let exported = try tokenizer.gguf(vocabularySize: model.description.vocabularySize)
        metadata.merge(exported.metadata) { $1 }
        metadata["general.quantization_version"] = .uint32(2)
        if promisesAbsentTokens(metadata) { metadata["general.name"] = nil }
        return Description(metadata: metadata, notes: architecture.notes + exported.notes)
    }

    /// Whether llama.cpp would take the name for a promise of Phi-3's special tokens, and refuse a file
    /// without them.
    private static func promisesAbsentTokens(_ metadata: Metadata) -> Bool {
        let name = metadata["general.name"]?.string?.lowercased() ?? ""
        guard name.contains("phi3") || name.contains("phi-3"),
            case .array(.string(let tokens))? = metadata["tokenizer.ggml.tokens"]
        else { return false }
        return !Set(tokens).isSuperset(of: ["</s>", "<unk>", "<s>", "<|endoftext|>"])
    }

    private static func huggingFaceDescription(
        _ model: LanguageModel, _ tokenizer: TokenizerDefinition, tensors: [Tensor]
    ) throws -> Description {
        var members = try model.configurationMembers()
        members["torch_dtype"] = .string(typeName(tensors))
        var generation: JSON.Members = [:]
        let roles: [(ExactString, SpecialTokenRole)] = [
            ("bos_token_id", .beginning), ("eos_token_id", .end),
            ("pad_token_id", .padding),
        ]
        for (key, role) in roles {
            guard let id = tokenizer.specialTokens[role] else { continue }
            members[key] = .integer(Int(id))
            generation[key] = .integer(Int(id))
        }
        var documents: OrderedDictionary<String, [UInt8]> = [:]
        for (name, members) in [("config.json", members), ("generation_config.json", generation)] {
            documents[name] = JSON.object(members).bytes(indentation: 2)
        }
        documents.merge(tokenizer.huggingFaceDocuments()) { $1 }
        return Description(metadata: ["format": .string("pt")], documents: documents)
    }

    /// The name of the folder or file that the model came in.
    private static func name(of checkpoint: Checkpoint) -> String {
        let path =
            checkpoint.path.hasSuffix("/") ? String(checkpoint.path.dropLast()) : checkpoint.path
        var (folder, name) = splitPath(path)
        if OutputFormat.isCompressed(name) {
            name = String(name.dropLast(OutputFormat.compressedExtension.count))
        }
        guard name.hasSuffix(".safetensors") || name.hasSuffix(".json") else { return name }
        return splitPath(folder).name
    }

    /// `torch_dtype` of a folder: the type of most weights.
    private static func typeName(_ tensors: [Tensor]) -> String {
        switch mostCommonEncoding(tensors) {
        case .scalar(.f16), .grouped: "float16"
        case .scalar(.bf16): "bfloat16"
        case .scalar(.f64): "float64"
        default: "float32"
        }
    }

    /// `general.file_type`: llama.cpp's number for the mix, or for the encoding of most weights in the
    /// layers.
    private static func fileType(_ recipe: Recipe, _ tensors: [Tensor]) -> UInt32 {
        let isDecided = recipe.budget == nil
        if let mix = recipe.mix, isDecided { return mix.fileType }
        return switch (isDecided ? recipe.encoding : nil) ?? mostCommonEncoding(tensors) {
        case .scalar(.f16): 1
        case .scalar(.bf16): 32
        case .block(let encoding): Mix(mostly: encoding)?.fileType ?? 0
        default: 0
        }
    }

    private static func mostCommonEncoding(_ tensors: [Tensor]) -> Encoding? {
        var counts: OrderedDictionary<Encoding, Int> = [:]
        for tensor in tensors where tensor.exported?.roles.first?.layer != nil {
            counts[tensor.target.encoding, default: 0] += tensor.target.count
        }
        return counts.max { $0.value < $1.value }?.key
    }
}
