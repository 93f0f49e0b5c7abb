import Architectures
import Inference
import Kernels
import TensorIR

/// Writes on from a prompt, one token at a time.
///
///     var options = GenerationOptions()
///     options.stopTokens = StopTokens.of(checkpoint, tokenizer)
///     let generator = try Generator(model, options)
///     let summary = try generator.generate(after: ids) { id in print(id); return true }
///
/// The same model, prompt and options give the same tokens, on any number of threads.
public struct Generator: Sendable {
    public let model: LanguageModel
    public let options: GenerationOptions

    public init(_ model: LanguageModel, _ options: GenerationOptions = GenerationOptions()) {
        (self.model, self.options) = (model, options)
    }

    /// Generates tokens until something ends the text.
    ///
    /// - Parameters:
    ///   - prompt: what the model reads first; at least one token.
    ///   - promptDone: called when the prompt was read.
    ///   - receiver: gets each token as soon as it is chosen; false ends the text.
    /// - Returns: how the text came about.
    /// - Throws: `ModelError` for a prompt that is empty or does not fit into the model's context, and
    ///   for a model that computes no numbers; whatever `receiver` throws.
    public func generate(
        after prompt: [Int32], promptDone: (GenerationSummary) -> Void = { _ in },
        receiver: (Int32) throws -> Bool
    ) throws -> GenerationSummary {
        let capacity = try GenerationLimits.capacity(model, prompt, options)
        let session = try ModelSession(
            model, capacity: capacity, encoding: options.cacheEncoding,
            workers: Workers(threadCount: options.threadCount))
        let sampler = Sampler(options.sampling)
        var random = SplitMix64(seed: options.sampling.seed)
        var output = GeneratedTokens(prompt, capacity: capacity, options)
        var logits = try session.read(prompt)
        output.endPrompt()
        promptDone(output.summary)
        while true {
            let distribution = try sampler.distribution(
                of: UnsafeBufferPointer(logits.row(0)), history: output.history)
            guard try output.append(distribution.draw(&random), receiver) else {
                return output.finished()
            }
            logits = try session.read(output.history.suffix(1))
            output.countStep()
        }
    }
}

/// How far a text may go.
enum GenerationLimits {
    /// Positions for the prompt and what follows it.
    static func capacity(
        _ model: LanguageModel, _ prompt: [Int32], _ options: GenerationOptions
    ) throws(ModelError) -> Int {
        let context = model.description.contextLength
        guard !prompt.isEmpty else {
            throw ModelError("the prompt has no tokens; the model needs one to begin with")
        }
        guard prompt.count < context else {
            throw ModelError(
                "the prompt has \(prompt.count) tokens, which leaves no room in the model's context "
                    + "of \(context)")
        }
        return prompt.count + min(options.maximumTokenCount, context - prompt.count)
    }
}
