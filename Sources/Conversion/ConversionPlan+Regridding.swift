import Architectures
import BlockFormats
import ByteIO
import Kernels
import TensorIR

/// Weights that are quantized already and would change if they were quantized again.
public struct RequantizationError: Error, Sendable, CustomStringConvertible {
    /// What the source's matrices are, the most frequent encoding first.
    public let sources: [Encoding]
    /// What they would become, likewise.
    public let targets: [Encoding]
    /// The output's names of the tensors that would change.
    public let tensors: [String]

    public var description: String {
        let names = tensors.prefix(3).map(\.escapedForDisplay).joined(separator: ", ")
        return "the model is quantized already: \(tensors.count) tensors of "
            + sources.map { "\($0)" }.joined(separator: " and ") + " would lose more as "
            + targets.map { "\($0)" }.joined(separator: " and ") + ": " + names
            + (tensors.count > 3 ? ", …" : "")
    }
}

extension ConversionPlan {
    /// Finds the tensors whose weights move to another grid without changing, and refuses to quantize the
    /// others once more.
    ///
    /// Where nothing was asked for, and the output cannot hold the source's encoding, a grid of GGUF that
    /// holds all weights of a tensor takes the place of floats. A recipe that turns or scales weights
    /// leaves none on its grid.
    ///
    /// - Parameters:
    ///   - tensors: of the output.
    ///   - origin: the model as the file has it.
    ///   - recipe: what is asked for.
    /// - Returns: the tensors, with other targets where that changes no weight.
    /// - Throws: `RequantizationError`, what reading the tensors throws.
    static func regridding(
        _ tensors: [Tensor], of origin: LanguageModel, recipe: Recipe
    ) throws -> [Tensor] {
        let workers = Workers(threadCount: recipe.threadCount)
        var changed: [Tensor] = []
        let result = try tensors.map { tensor in
            let target = tensor.target.encoding
            guard let source = tensor.exported.flatMap(origin.encoding), source.isQuantized,
                source != target || recipe.changesWeights
            else { return tensor }
            for encoding in recipe.coinciding(source, target) {
                if let regridded = try tensor.regridded(to: encoding, workers) { return regridded }
            }
            if target.isQuantized { changed.append(tensor) }
            return tensor
        }
        guard changed.isEmpty || recipe.allowsRequantizing else {
            throw RequantizationError(
                sources: mostFrequent(changed.compactMap { $0.exported.flatMap(origin.encoding) }),
                targets: mostFrequent(changed.map(\.target.encoding)),
                tensors: changed.map(\.target.name))
        }
        return result
    }

    private static func mostFrequent(_ encodings: [Encoding]) -> [Encoding] {
        var counts: [(encoding: Encoding, count: Int)] = []
        for encoding in encodings {
            if let place = counts.firstIndex(where: { $0.encoding == encoding }) {
                counts[place].count += 1
            } else {
                counts.append((encoding, 1))
            }
        }
        return counts.sorted { $0.count > $1.count }.map(\.encoding)
    }
}

extension ConversionPlan.Tensor {
    /// The tensor with its weights on another grid, or nil where one of them would change.
    fileprivate func regridded(
        to encoding: Encoding, _ workers: Workers
    ) throws -> ConversionPlan.Tensor? {
        let descriptor = source.descriptor
        guard
            let target = TensorDescriptor(
                name: self.target.name, shape: descriptor.shape, encoding: encoding),
            try Regrid(from: descriptor.encoding, to: encoding, columns: descriptor.columns)
                .isLossless(source, workers: workers)
        else { return nil }
        var tensor = self
        (tensor.target, tensor.isRegridded) = (target, true)
        return tensor
    }
}

extension Recipe {
    /// What weights on a grid may become without changing, for all that their encodings tell.
    fileprivate func coinciding(_ source: Encoding, _ target: Encoding) -> [Encoding] {
        guard !changesWeights else { return [] }
        if target.isQuantized { return [target] }
        return keepsEncodings ? source.coincidingBlocks : []
    }
}

extension Encoding {
    /// The grids of GGUF that may hold all weights of groups like these, the smallest first.
    ///
    /// Codes of four bits less a zero point are numbers from −15 to 15: Q5_0 has them all.
    fileprivate var coincidingBlocks: [Encoding] {
        guard case .grouped(let grouped) = self else { return [] }
        let blocks: [BlockEncoding] =
            switch (grouped.element, grouped.bits) {
            case (.e2m1, _): [.mxfp4, .nvfp4]
            case (.integer, ...4): [.q4_0, .q4_1, .q5_0, .q5_1]
            case (.integer, 5): [.q5_0, .q5_1, .q8_0]
            case (.integer, _): [.q8_0]
            case (.e4m3, _), (.e5m2, _): []
            }
        return blocks.map { .block($0) }
    }
}

extension LanguageModel {
    /// How the model holds what a tensor of the output is made of.
    fileprivate func encoding(of exported: ExportedTensor) -> Encoding? {
        exported.roles.first.flatMap { tensors[$0]?.descriptor.encoding }
    }
}

extension Checkpoint {
    /// Whether matrices were gathered from tensors that a writer would have to make again.
    var isGathered: Bool {
        dialect == .huggingFace && tensors.contains { $0.descriptor.encoding.isQuantized }
    }
}
