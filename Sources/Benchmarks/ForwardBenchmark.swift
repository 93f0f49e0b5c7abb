import Architectures
import ArgumentParser
import ByteIO
import Conversion
import Inference
import Kernels

/// The forward pass of an evaluation: hidden states of windows of 512 tokens, and logits of their second halves.
struct ForwardBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forward",
        abstract: "An evaluation's forward pass, and its share of what the chip allows.")

    @Argument(help: "The model to run.") var model: String
    @Option(help: "Windows of 512 tokens.") var windows = 8
    @OptionGroup var options: BenchmarkOptions

    func run() throws {
        let workers = Workers(threadCount: options.threads)
        let model = try LanguageModel(ModelFile.open(model, isRun: true))
        let pass = ForwardPass(model, windowCount: windows)
        let product = LargeProduct(workers)
        let precisions: [Precision] = BFloat16.isSupported ? [.f32, .bf16] : [.f32]
        let decoders = try precisions.map {
            try Decoder(
                model, positionCount: ForwardPass.context, workers: workers, precision: $0)
        }
        var peaks = precisions.map { _ in product.samples }
        var passes = precisions.map { _ in Samples("GFLOP", amount: pass.operationCount * 1e-9) }
        for _ in 0..<options.rounds {
            for place in precisions.indices {
                peaks[place].measure {
                    precisions[place] == .f32 ? product.multiply() : product.multiplyRounded()
                }
                try passes[place].measure { try pass.run(decoders[place]) }
            }
        }
        var document: JSON.Members = [:]
        for (place, precision) in precisions.enumerated() {
            let (peak, own) = (peaks[place], passes[place])
            let tokens = Double(windows * ForwardPass.context)
            document[ExactString(precision.rawValue)] = [
                "large_product": peak.json, "forward": own.json,
                "tokens_per_second": .number(own.perSecond / own.amount * tokens),
                "share_of_peak": .number(own.perSecond / peak.perSecond),
                "share_of_peak_by_processor_time": .number(
                    own.perProcessorSecond / peak.perProcessorSecond),
            ]
        }
        print(JSON.object(document).text())
    }
}

/// Windows of arbitrary tokens, and the arithmetic that they take.
private struct ForwardPass {
    static let context = 512

    private let windows: [[Int32]]
    private let description: DecoderDescription
    /// Products and sums in matrices and in attention, whose masked half is not counted.
    let operationCount: Double

    init(_ model: LanguageModel, windowCount: Int) {
        description = model.description
        let vocabulary = description.vocabularySize
        windows = (0..<windowCount).map { window in
            (0..<Self.context).map { Int32((window * 7919 + $0 * 104_729) % vocabulary) }
        }
        let (context, scored) = (Double(Self.context), Double(Self.context / 2 - 1))
        var perWindow = scored * Double(vocabulary * description.hiddenSize)
        for (role, source) in model.tensors where role.layer != nil && !role.module.isNorm {
            perWindow += context * Double(source.descriptor.count)
        }
        let heads = Double(description.layerCount * description.headCount * description.headSize)
        perWindow += heads * context * (context + 1)
        operationCount = 2 * perWindow * Double(windowCount)
    }

    /// - Throws: what reading the weights throws.
    func run(_ decoder: Decoder) throws {
        let hidden = try decoder.hiddenStates(ofSequences: windows)
        let logits = Matrix(rows: Self.context / 2 - 1, columns: description.vocabularySize)
        for window in windows.indices {
            let first = window * Self.context + Self.context / 2
            try decoder.logits(
                of: hidden, rows: Array(first..<first + logits.rows), into: logits.elements)
        }
    }
}
