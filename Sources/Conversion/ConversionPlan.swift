import Architectures
import BlockFormats
import ByteIO
import GGUFFormat
import Kernels
import OrderedCollections
import Synchronization
import TensorIR
import Tokenization

/// Everything that a conversion will do, settled before the first byte is written.
///
/// Every mistake that can be known beforehand surfaces in `init`: an unknown architecture, a missing
/// tensor, an encoding that the output cannot hold, an output that is the input.
public struct ConversionPlan: Sendable {
    /// One tensor of the output.
    public struct Tensor: Sendable {
        /// What the tensor is for; nil where a file is copied without knowing its architecture.
        public let exported: LanguageModel.ExportedTensor?
        /// Under the output's name and in its row order, still in the source's encoding.
        public let source: any TensorSource
        public internal(set) var target: TensorDescriptor
        /// Set where the encoding is not the one asked for.
        public let fallback: Fallback?
        /// Whether weights that are quantized already take another form without changing.
        public var isRegridded = false

        /// A tensor of the output that is made of an exported one.
        /// - Throws: `UnsupportedEncoding` for one that must be decoded and cannot be.
        init(
            _ exported: LanguageModel.ExportedTensor, target: TensorDescriptor, fallback: Fallback?
        ) throws {
            self.exported = exported
            self.fallback = fallback
            guard exported.isTransposed, !target.encoding.isQuantized else {
                (source, self.target) = (exported.source, target)
                return
            }
            let isQuantized = exported.source.descriptor.encoding.isQuantized
            source = TransposedTensor(
                isQuantized ? try DecodedTensor(exported.source) : exported.source)
            self.target = target.transposed
        }

        /// A tensor that is copied from a file without knowing what it is for.
        init(copying source: any TensorSource) {
            (exported, self.source, target, fallback) = (nil, source, source.descriptor, nil)
        }

        /// Whether the bytes stay as they are.
        public var isCopied: Bool { source.descriptor.encoding == target.encoding }
    }

    /// Why a tensor has another encoding than it should.
    public struct Fallback: Sendable, Hashable {
        /// What it should have become.
        public let wanted: Encoding
        public let reason: String
    }

    public let input: Checkpoint
    /// Nil where a file is copied without knowing its architecture.
    public private(set) var model: LanguageModel?
    public let outputPath: String
    /// What is written; of a DTZ file, what is in it.
    public let format: OutputFormat
    /// Whether a DTZ file is written.
    public var isCompressed: Bool { OutputFormat.isCompressed(outputPath) }
    public let recipe: Recipe
    public private(set) var tensors: [Tensor]
    var metadata: Metadata
    var documents: OrderedDictionary<String, [UInt8]>
    /// The model's tokenizer, where it had to be read for the output.
    let tokenizer: TokenizerDefinition?
    /// How the recipe's budget is spent.
    public let allocation: Allocation?
    /// What people should know before it starts.
    public private(set) var notes: [String]
    /// Where the activations of calibration text lie: in memory as far as the recipe allows.
    let activationMemory: MatrixMemory

    /// - Throws: `ModelError`, `FormatError`, `SystemError`.
    public init(input: Checkpoint, outputPath: String, recipe: Recipe) throws {
        self.input = input
        self.outputPath = outputPath
        self.recipe = recipe
        activationMemory =
            recipe.activationByteLimit.map {
                MatrixMemory(byteLimit: $0, folder: splitPath(outputPath).folder)
            } ?? .unlimited
        format = OutputFormat(path: outputPath, dialect: recipe.dialect(of: input))
        try ConversionPlan.checkDistinct(input: input, outputPath: outputPath, format: format)

        // A copy that changes neither names nor weights needs no knowledge of the architecture.
        if recipe.keepsEncodings, recipe.rotationSeed == nil, format.dialect == input.dialect,
            !input.isGathered
        {
            model = nil
            tensors = input.tensors.map(Tensor.init(copying:))
            (metadata, documents) = (input.metadata, input.documents)
            notes = []
            (allocation, tokenizer) = (nil, nil)
            if !isCompressed { documents = try OriginalFiles.documents(of: self) }
            return
        }

        let (source, tokenizer) = try ConversionPlan.opened(input, format: format, recipe: recipe)
        let model = try ConversionPlan.rotated(source, seed: recipe.rotationSeed, format.dialect)
        (self.model, self.tokenizer) = (model, tokenizer)
        var policy = EncodingPolicy(recipe, model: model, dialect: format.dialect)
        if let budget = recipe.budget {
            try budget.sensitivities.checkOrigin(model, recipe)
            let tensors = try ConversionPlan.tensors(of: model, policy: policy)
            let described = try ConversionPlan.describe(
                model, tokenizer, format: format, recipe: recipe, tensors: tensors)
            policy.allocation = try ConversionPlan.allocation(
                of: budget, tensors: tensors, metadata: described.metadata, policy: policy)
        }
        let tensors = try ConversionPlan.regridding(
            ConversionPlan.tensors(of: model, policy: policy), of: source, recipe: recipe)
        let described = try ConversionPlan.describe(
            model, tokenizer, format: format, recipe: recipe, tensors: tensors)
        allocation = policy.allocation
        self.tensors = tensors
        (metadata, documents) = (described.metadata, described.documents)
        notes = model.notes + described.notes
        notes += rotationNotes(from: source)
        try checkCoverage()
    }

    /// A model, and meanwhile its tokenizer where the output has to say it in other words.
    private static func opened(
        _ input: Checkpoint, format: OutputFormat, recipe: Recipe
    ) throws -> (LanguageModel, TokenizerDefinition?) {
        let tokenizer = Mutex<TokenizerDefinition?>(nil)
        let model = try Workers(threadCount: recipe.threadCount).run {
            try LanguageModel(input)
        } beside: {
            guard input.dialect != format.dialect else { return }
            let read = try TokenizerDefinition(checkpoint: input)
            tokenizer.withLock { $0 = read }
        }
        return (model, tokenizer.withLock(\.self))
    }

    private static func tensors(
        of model: LanguageModel, policy: EncodingPolicy
    ) throws -> [Tensor] {
        // Norms of a GGUF are F32 because llama.cpp wants it so. In a folder they take the matrices' type
        // where that loses nothing, as the folder that they once came from had them.
        let matrixType = commonScalarType(model)
        let exports = try model.exportedTensors(to: policy.dialect)
        return try zip(exports, policy.choices(for: exports)).map { exported, choice in
            let source = exported.source.descriptor
            var choice = choice
            if policy.dialect == .huggingFace, policy.requested == nil, source.shape.count == 1,
                let matrixType, try exported.source.isExact(in: matrixType)
            {
                choice = EncodingPolicy.Choice(encoding: .scalar(matrixType))
            }
            guard
                let target = TensorDescriptor(
                    name: source.name, shape: source.shape, encoding: choice.encoding)
            else {
                throw ModelError("tensor '\(source.name)' cannot be stored as \(choice.encoding)")
            }
            if source.encoding != target.encoding {
                _ = try RowCodec(source.encoding, columns: source.columns)
            }
            return try Tensor(exported, target: target, fallback: choice.fallback)
        }
    }

    /// The same output made of another model's weights.
    /// - Precondition: the model has the tensors of this one's.
    func with(_ model: LanguageModel) throws -> ConversionPlan {
        let exported = try model.exportedTensors(to: format.dialect)
        precondition(exported.count == tensors.count)
        var plan = self
        plan.model = model
        plan.tensors = try zip(exported, tensors).map { exported, tensor in
            let target =
                exported.isTransposed && !tensor.target.encoding.isQuantized
                ? tensor.target.transposed : tensor.target
            return try Tensor(exported, target: target, fallback: tensor.fallback)
        }
        return plan
    }

    /// Spends a budget on a GGUF whose metadata are known. Their size does not depend on the encodings.
    private static func allocation(
        of budget: Budget, tensors: [Tensor], metadata: Metadata, policy: EncodingPolicy
    ) throws -> Allocation {
        let descriptors = tensors.map(\.target)
        let header = try GGUFWriter.header(metadata: metadata, descriptors: descriptors)
        return try Allocation(
            budget, tensors: zip(descriptors, policy.isFree(tensors)).map { ($0, $1) },
            overheadByteCount: header.byteCount, alignment: header.alignment)
    }

    /// The scalar type of all matrices, if they have one.
    private static func commonScalarType(_ model: LanguageModel) -> ScalarType? {
        let encodings = Set(
            model.tensors.values.filter { $0.descriptor.shape.count > 1 }
                .map(\.descriptor.encoding))
        guard encodings.count == 1, case .scalar(let type)? = encodings.first else { return nil }
        return type
    }

    /// Refuses encodings that this package only reads, or knows by their size alone.
    package func checkEncoders() throws {
        for tensor in tensors where !tensor.isCopied {
            let target = tensor.target
            guard try RowCodec(target.encoding, columns: target.columns).canEncode else {
                throw ModelError(
                    "tensor '\(target.name.escapedForDisplay)' cannot be written as "
                        + "\(target.encoding): that encoding is only read")
            }
        }
    }

    private static func checkDistinct(
        input: Checkpoint, outputPath: String, format: OutputFormat
    ) throws {
        let isSame =
            FileSystem.isSameFile(input.path, outputPath)
            || input.files.contains { FileSystem.isSameFile($0, outputPath) }
        guard !isSame else {
            throw ModelError(
                "the output '\(outputPath.escapedForDisplay)' is the input; name another file")
        }
    }

    /// Weights of all tensors.
    public var weightCount: Int { tensors.reduce(0) { $0 + $1.target.count } }

    /// Tensors that have another encoding than they should.
    public var fallbackCount: Int { tensors.count { $0.fallback != nil } }

    /// Bytes of all tensors, without headers and padding.
    public var tensorByteCount: Int { tensors.reduce(0) { $0 + $1.target.byteCount } }
}

extension TensorSource {
    /// Whether every element survives the way into `type` and back.
    fileprivate func isExact(in type: ScalarType) throws -> Bool {
        let columns = descriptor.columns
        let source = try RowCodec(descriptor.encoding, columns: columns)
        let target = try RowCodec(.scalar(type), columns: columns)
        guard source.encoding != target.encoding else { return true }
        var values = [Float](repeating: 0, count: descriptor.count)
        var encoded = [UInt8](repeating: 0, count: descriptor.rows * target.rowByteCount)
        var decoded = values
        try withBytes(rows: 0..<descriptor.rows) { bytes in
            values.withUnsafeMutableBufferPointer { source.decode(bytes, into: $0) }
        }
        values.withUnsafeBufferPointer { values in
            encoded.withUnsafeMutableBytes { target.encode(values, into: $0) }
        }
        encoded.withUnsafeBytes { bytes in
            decoded.withUnsafeMutableBufferPointer { target.decode(bytes, into: $0) }
        }
        return zip(values, decoded).allSatisfy { $0.bitPattern == $1.bitPattern }
    }
}
