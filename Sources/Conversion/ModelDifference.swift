import ByteIO
import Kernels
import OrderedCollections
import ProgressReporting
import TensorIR
import Tokenization

/// Where two models differ, whatever their formats: weights, metadata, tokenizers.
///
/// Models of different dialects are compared as GGUF would hold them.
public struct ModelDifference: Sendable {
    /// A tensor that both models have, in one shape.
    public struct Tensor: Sendable {
        public let first: TensorDescriptor
        public let second: TensorDescriptor
        public let error: WeightError
    }

    /// Something that a model has and the other has not, or has otherwise.
    public struct Entry<Value: Sendable>: Sendable {
        public let name: String
        /// Nil where only the other model has it.
        public let first: Value?
        public let second: Value?
    }

    /// How two tokenizers compare.
    public enum TokenizerFinding: Sendable, Hashable {
        case same
        /// With the first text that tells them apart.
        case different(reason: String)
        /// One of them is missing or cannot be read.
        case notCompared(reason: String)
    }

    /// By signal-to-noise ratio, the worst first; those of equal weights are last, in the first model's order.
    public let tensors: [Tensor]
    /// Tensors that only one model has, or both in different shapes.
    public let unpaired: [Entry<TensorDescriptor>]
    /// Metadata and members of documents that are not equal in both.
    public let metadata: [Entry<MetadataValue>]
    public let tokenizer: TokenizerFinding

    /// Whether no difference was found; encodings may still be others.
    public var isEmpty: Bool {
        unpaired.isEmpty && metadata.isEmpty && tensors.allSatisfy(\.error.isZero)
            && tokenizer.isHarmless
    }

    /// Compares all of two models.
    ///
    /// - Parameters:
    ///   - first: what is taken for right.
    ///   - second: the other model.
    ///   - threadCount: nil takes one per processor.
    ///   - progress: told of weights.
    /// - Throws: `ModelError` for models of different dialects that are no language models, `UnsupportedEncoding`,
    ///   and what reading the tensors throws.
    public init(
        _ first: Checkpoint, _ second: Checkpoint, threadCount: Int? = nil,
        progress: some ProgressSink = SilentProgress()
    ) throws {
        let isMixed = first.dialect != second.dialect
        let sides = try [first, second].map { try Side($0, asGGUF: isMixed) }
        let names = OrderedSet(sides.flatMap { $0.tensors.keys })
        var pairs: [(first: any TensorSource, second: any TensorSource)] = []
        var unpaired: [Entry<TensorDescriptor>] = []
        for name in names {
            let found = sides.map { $0.tensors[name] }
            if let a = found[0], let b = found[1], a.descriptor.shape == b.descriptor.shape {
                pairs.append((a, b))
            } else {
                unpaired.append(
                    Entry(
                        name: name.string, first: found[0]?.descriptor, second: found[1]?.descriptor
                    ))
            }
        }
        self.unpaired = unpaired
        let workers = Workers(threadCount: threadCount)
        let phase = Phase("Comparing", unit: "weights")
        let total = pairs.reduce(0) { $0 &+ $1.first.descriptor.count }
        let tensors = try progress.phase(phase, total: total) {
            try pairs.map { pair in
                let error = try WeightError(pair.first, pair.second, workers)
                progress.advance(phase, by: error.weightCount)
                return Tensor(
                    first: pair.first.descriptor, second: pair.second.descriptor, error: error)
            }
        }
        self.tensors = tensors.enumerated().sorted { a, b in
            let (noise, other) = (a.element.error.rank, b.element.error.rank)
            return noise == other ? a.offset < b.offset : noise < other
        }.map(\.element)
        metadata = OrderedSet(sides.flatMap { $0.metadata.keys }).compactMap { key in
            let (a, b) = (sides[0].metadata[key], sides[1].metadata[key])
            return a == b ? nil : Entry(name: key.string, first: a, second: b)
        }
        tokenizer = TokenizerFinding(first, second)
    }
}

extension WeightError {
    /// What is worse comes first: weights that are not finite before all others.
    fileprivate var rank: Double { signalToNoise.isNaN ? -.infinity : signalToNoise }
}

/// A model under names that the other one has, too.
private struct Side {
    let tensors: OrderedDictionary<ExactString, any TensorSource>
    let metadata: Metadata

    init(_ checkpoint: Checkpoint, asGGUF: Bool) throws {
        var (sources, metadata) = (checkpoint.tensors, checkpoint.metadata)
        if asGGUF, checkpoint.dialect != .gguf {
            var recipe = Recipe()
            recipe.allowsRequantizing = true
            let plan = try ConversionPlan(
                input: checkpoint, outputPath: "\(checkpoint.path).gguf", recipe: recipe)
            (sources, metadata) = (plan.tensors.map(\.source), plan.metadata)
        } else {
            for (name, content) in checkpoint.documents {
                metadata.merge(try Side.members(of: name, content)) { $1 }
            }
        }
        self.metadata = metadata
        tensors = OrderedDictionary(
            sources.map { (ExactString($0.descriptor.name), $0) },
            uniquingKeysWith: { first, _ in first })
    }

    /// A configuration's members one by one; other documents as a whole, by their digest.
    private static func members(of name: String, _ content: [UInt8]) throws -> Metadata {
        guard name.hasSuffix("config.json"),
            case .object(let members) = try JSON(parsing: content, subject: name)
        else {
            return [
                ExactString(name): .string("SHA-256 \(ContentDigest.sha256(content).prefix(16))…")
            ]
        }
        return Metadata(
            uniqueKeysWithValues: members.map { key, value in
                (ExactString("\(name): \(key.string)"), value.metadataValue)
            })
    }
}

extension JSON {
    fileprivate var metadataValue: MetadataValue {
        switch self {
        case .bool(let value): .bool(value)
        case .integer(let value): .int64(Int64(value))
        case .number(let value): .float64(value)
        case .string(let value): .string(value)
        case .null, .array, .object: .string(text())
        }
    }
}

extension ModelDifference.TokenizerFinding {
    fileprivate var isHarmless: Bool {
        if case .different = self { false } else { true }
    }

    fileprivate init(_ first: Checkpoint, _ second: Checkpoint) {
        do {
            let comparison = TokenizerComparison(
                source: try Tokenizer(checkpoint: first), other: try Tokenizer(checkpoint: second))
            let difference = try comparison.firstDifference()
            self = difference.map { .different(reason: $0) } ?? .same
        } catch {
            self = .notCompared(reason: "\(error)")
        }
    }
}
