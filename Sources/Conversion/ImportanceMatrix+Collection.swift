import Architectures
import ByteIO
import Calibration
import Inference
import Kernels
import ProgressReporting
import Quantization
import TensorIR

extension ImportanceMatrix {
    /// Windows that run through the model together; what is held in memory grows with it.
    private static let windowsPerBatch = 32

    /// Runs text through a model and gathers what its matrices multiply.
    ///
    /// With `weighting` uniform the sums are those of `llama-imatrix --process-output`: Σ x² over all
    /// tokens, for each matrix of a decoder layer and for the output, be it tied or not. Otherwise each square counts as much as its token, 1 on average.
    ///
    /// - Parameters:
    ///   - model: in any format; entries get the names that its tensors have in GGUF.
    ///   - windows: token ids of one length.
    ///   - dataset: what the text is called.
    ///   - weighting: what each token counts.
    ///   - threadCount: nil for one per processor; the result does not depend on it.
    ///   - progress: is told of layers.
    /// - Returns: the sums of all matrices, those of experts that no token reached with a count of 0.
    /// - Throws: `ModelError` for windows that the model cannot read; `TensorQuantizationError` for weights that
    ///   are not finite; what decoding weights throws.
    public static func collected(
        from model: LanguageModel, windows: [[Int32]], dataset: String,
        weighting: TokenWeighting = .uniform, threadCount: Int? = nil,
        progress: some ProgressSink = SilentProgress()
    ) throws -> ImportanceMatrix {
        let length = windows.first?.count ?? 0
        let workers = Workers(threadCount: threadCount)
        try model.checkWeights(workers)
        let decoder = try Decoder(model, positionCount: length, workers: workers)
        let collector = ImportanceCollector(weighting: weighting)
        let starts = Array(stride(from: 0, to: windows.count, by: windowsPerBatch))
        let phase = Phase("Collecting", unit: "layers")
        try progress.phase(phase, total: starts.count * model.description.layerCount) {
            for start in starts {
                let batch = windows[start..<min(windows.count, start + windowsPerBatch)]
                let tokens = TokenBatch(Array(batch))
                let hidden = try decoder.hiddenStates(of: tokens, observer: collector) { _ in
                    progress.advance(phase, by: 1)
                }
                try decoder.showOutputInput(of: hidden, batch: tokens, to: collector)
            }
        }
        var matrix = ImportanceMatrix(
            datasets: [dataset], windowCount: windows.count, windowSize: length)
        for (name, roles) in model.importanceNames(of: collector.sums.keys) {
            let parts = roles.compactMap { collector.sums[$0] }
            matrix.entries[name] = Entry(
                sumsOfSquares: parts.flatMap { $0.squares.map { Float($0) } },
                counts: parts.map { Float($0.tokenCount) })
        }
        return matrix
    }
}

extension LanguageModel {
    /// What importance matrices call a role's tensor: its name in GGUF, or the model's own where GGUF has
    /// none.
    func importanceName(of role: TensorRole) -> String? {
        family.name(of: role, in: .gguf) ?? family.name(of: role, in: .huggingFace)
    }

    /// The roles under the names of the tensors that hold them: of modules with the same input, the first;
    /// of experts, all in order.
    fileprivate func importanceNames(
        of roles: some Collection<TensorRole>
    ) -> [ExactString: [TensorRole]] {
        var named: [ExactString: [TensorRole]] = [:]
        for role in roles {
            guard let name = importanceName(of: role) else { continue }
            named[ExactString(name), default: []].append(role)
        }
        return named.mapValues { roles in
            let experts = roles.filter { $0.expert != nil }
            guard experts.isEmpty else {
                let first = experts[0].module
                return experts.filter { $0.module == first }.sorted {
                    ($0.expert ?? 0) < ($1.expert ?? 0)
                }
            }
            return [roles[0]]
        }
    }
}
