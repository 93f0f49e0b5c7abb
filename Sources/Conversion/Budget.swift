import ByteIO
import GGUFFormat
import TensorIR

/// The size that a GGUF may have, and what is known about how best to spend it.
public struct Budget: Sendable {
    public enum Size: Sendable, Hashable {
        /// Of the whole file.
        case bytes(Int)
        /// Bits of the whole file, metadata and padding included, over the weights of the model.
        case bitsPerWeight(Double)
    }

    public var size: Size
    public var sensitivities: SensitivityTable
    /// Encodings that may be chosen, of those that were measured; nil for all of them.
    public var encodings: Set<Encoding>?

    public init(size: Size, sensitivities: SensitivityTable, encodings: Set<Encoding>? = nil) {
        (self.size, self.sensitivities, self.encodings) = (size, sensitivities, encodings)
    }

    /// Bytes of the file at most.
    func byteCount(ofWeights weightCount: Int) -> Int {
        switch size {
        case .bytes(let count): count
        case .bitsPerWeight(let bits):
            Int(exactly: (bits * Double(weightCount) / 8).rounded(.down)) ?? .max
        }
    }
}

/// What a budget has been spent on.
public struct Allocation: Sendable {
    /// Bytes that the file may have, and has.
    public let budgetByteCount, fileByteCount: Int
    /// The sum of the expected losses: mean divergence in nats, for matrices rounded to nearest.
    public let expectedDivergence: Double
    /// By the tensor's place in the output; nil for those that are not the budget's to decide.
    let encodings: [Encoding?]

    /// The part of a budget that is used wherever the sizes of the tensors allow it.
    private static let leastUse = 0.995

    /// Spends a budget.
    ///
    /// - Parameters:
    ///   - budget: what there is.
    ///   - tensors: of the output, each with what it is if the budget does not decide on it.
    ///   - overheadByteCount: bytes of the file beside its tensors' data.
    ///   - alignment: of the tensors' data.
    /// - Throws: `ModelError` for a budget that nothing fits in, or a tensor without sensitivities.
    init(
        _ budget: Budget, tensors: [(descriptor: TensorDescriptor, isFree: Bool)],
        overheadByteCount: Int, alignment: Int
    ) throws(ModelError) {
        let weightCount = tensors.reduce(0) { $0 + $1.descriptor.count }
        budgetByteCount = budget.byteCount(ofWeights: weightCount)
        var fixed = overheadByteCount
        var items: [[Option]] = []
        for (tensor, isFree) in tensors {
            guard isFree else {
                guard let byteCount = GGUF.aligned(tensor.byteCount, to: alignment) else {
                    throw ModelError(
                        "tensor '\(tensor.name.escapedForDisplay)': the file is too large")
                }
                fixed += byteCount
                items.append([])
                continue
            }
            guard let entry = budget.sensitivities.entries[ExactString(tensor.name)],
                entry.weightCount == tensor.count
            else {
                throw ModelError(
                    "the sensitivities are of another model: they lack "
                        + "'\(tensor.name.escapedForDisplay)' with \(tensor.count) weights")
            }
            let options = entry.errors.keys.compactMap { encoding -> Option? in
                guard budget.encodings?.contains(encoding) ?? true,
                    let rowByteCount = encoding.byteCount(ofRow: tensor.columns),
                    let byteCount = GGUF.aligned(rowByteCount * tensor.rows, to: alignment),
                    let loss = entry.loss(in: encoding)
                else { return nil }
                return Option(encoding: encoding, byteCount: byteCount, loss: loss)
            }
            guard !options.isEmpty else {
                throw ModelError(
                    "no encoding may be chosen for '\(tensor.name.escapedForDisplay)': "
                        + "its rows of \(tensor.columns) fit none of those allowed")
            }
            items.append(Option.undominated(options))
        }
        let smallest = items.reduce(fixed) { $0 + ($1.first?.byteCount ?? 0) }
        guard smallest <= budgetByteCount else {
            throw ModelError(
                "a file of \(budgetByteCount) bytes is too small: with the fewest bits it takes "
                    + "\(smallest)")
        }
        let leastByteCount = Int(Double(budgetByteCount) * Self.leastUse)
        let free = items.indices.filter { !items[$0].isEmpty }
        let choices = Knapsack.solve(
            free.map { items[$0].map { Knapsack.Option(size: $0.byteCount, loss: $0.loss) } },
            budget: budgetByteCount - fixed, floor: leastByteCount - fixed)
        var encodings = [Encoding?](repeating: nil, count: items.count)
        var (byteCount, loss) = (fixed, 0.0)
        for (item, choice) in zip(free, choices) {
            let option = items[item][choice]
            encodings[item] = option.encoding
            byteCount += option.byteCount
            loss += option.loss
        }
        (self.encodings, fileByteCount, expectedDivergence) = (encodings, byteCount, loss)
    }

    private struct Option {
        let encoding: Encoding
        let byteCount: Int
        let loss: Double

        /// The options from small to large, without those that another beats in both.
        static func undominated(_ options: [Option]) -> [Option] {
            let sorted = options.sorted {
                ($0.byteCount, $0.loss, $0.encoding.description)
                    < ($1.byteCount, $1.loss, $1.encoding.description)
            }
            var kept: [Option] = []
            for option in sorted where kept.last.map({ option.loss < $0.loss }) ?? true {
                kept.append(option)
            }
            return kept
        }
    }
}
