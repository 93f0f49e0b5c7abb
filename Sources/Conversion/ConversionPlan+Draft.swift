import Architectures
import Kernels
import Synchronization
import TensorIR
import Tokenization

extension ConversionPlan {
    /// What is known of a plan without its tokenizer, which is read meanwhile.
    struct Draft {
        let source: LanguageModel
        let model: LanguageModel
        let policy: EncodingPolicy
        /// As they are to be written; with a budget, as they would be without it.
        let tensors: [Tensor]
        let reserved: ReservedFile?

        init(
            _ input: Checkpoint, outputPath: String, format: OutputFormat, recipe: Recipe
        ) throws {
            source = try LanguageModel(input)
            model = try ConversionPlan.rotated(source, seed: recipe.rotationSeed, format.dialect)
            policy = EncodingPolicy(recipe, model: model, dialect: format.dialect)
            let tensors = try ConversionPlan.tensors(of: model, policy: policy)
            self.tensors =
                recipe.budget == nil
                ? try ConversionPlan.regridding(tensors, of: source, recipe: recipe) : tensors
            // While the tokenizer is read, which a GGUF file takes as it is.
            let isOneFile =
                format == .gguf && input.dialect != .gguf && recipe.maximumShardByteCount == nil
                && recipe.budget == nil && !OutputFormat.isCompressed(outputPath)
            reserved =
                isOneFile && recipe.reservesOutput
                ? ReservedFile(
                    path: outputPath,
                    byteCount: self.tensors.reduce(0) { $0 + $1.target.byteCount })
                : nil
        }

        /// Makes a draft, and meanwhile reads the tokenizer where the output has to say it in other words.
        ///
        /// - Parameters:
        ///   - input: the model.
        ///   - outputPath: where the output goes.
        ///   - format: what it is.
        ///   - recipe: what was asked for.
        /// - Returns: both.
        /// - Throws: what reading the model and planning its tensors throws, otherwise what reading the
        ///   tokenizer does.
        static func made(
            of input: Checkpoint, outputPath: String, format: OutputFormat, recipe: Recipe
        ) throws -> (Draft, Tokenizer?) {
            let tokenizer = Mutex<Tokenizer?>(nil)
            let draft = try Workers(threadCount: recipe.threadCount).run {
                try Draft(input, outputPath: outputPath, format: format, recipe: recipe)
            } beside: {
                guard input.dialect != format.dialect else { return }
                let read = try Tokenizer(checkpoint: input)
                tokenizer.withLock { $0 = read }
            }
            return (draft, tokenizer.withLock(\.self))
        }
    }
}
