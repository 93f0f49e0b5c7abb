import Architectures
import ArgumentParser
import BundledData
import ByteIO
import Conversion
import Generation
import Inference
import TensorIR
import Tokenization

struct GenerateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate",
        abstract: "Write on from a prompt.",
        usage: "detent generate [<options>] [<model>] (--prompt <text> | --prompt-file <file>)",
        discussion: """
            Text goes to standard output as it is made, without the prompt; at the end, \
            standard error tells how fast. At temperature 0, the default, the most likely \
            token is taken each time.

              detent generate SmolLM2-135M --prompt "Once upon a time"
              detent generate SmolLM2-135M --chat --prompt "Why is the sky blue?"
              detent generate big.gguf --draft small.gguf -f text.txt --temperature 0.7
            """)

    @Argument(
        help: "The model to run; without it, the one that comes with Detent.", completion: .file())
    var model: String?

    @OptionGroup(title: "Prompt") var input: PromptOptions
    @OptionGroup(title: "Length") var length: LengthOptions
    @OptionGroup(title: "Choice of tokens") var choice: ChoiceOptions
    @OptionGroup(title: "Draft") var drafting: DraftOptions

    @Option(
        help: ArgumentHelp(
            "How keys and values of earlier tokens are held: f32, f16 or q8_0.", valueName: "type"))
    var kvType = CacheType.f32

    @Flag(help: "Print special tokens such as the end of a turn, too.") var special = false

    @Flag(help: "Print one JSON document at the end: ids, text, and how it came about.")
    var json = false

    @OptionGroup var work: WorkOptions

    func validate() throws {
        if choice.beams != nil, drafting.draft != nil {
            throw ValidationError("'--beams' and '--draft' do not go together.")
        }
        if json, input.showPrompt {
            throw ValidationError("'--json' and '--show-prompt' do not go together.")
        }
    }

    func run() throws {
        let checkpoint = try ModelFile.open(
            model ?? BundledData.defaultModelPath, isRun: true)
        let tokenizer = try Tokenizer(checkpoint: checkpoint)
        if input.showPrompt {
            return try StandardStream.output.write(input.text(for: tokenizer))
        }
        let prompt = try input.ids(for: tokenizer)
        let task = GenerationTask(
            model: try LanguageModel(checkpoint), tokenizer: tokenizer, prompt: prompt,
            options: try options(checkpoint, tokenizer))
        let screen = GenerationScreen(isStreaming: !json, isQuiet: work.quiet)
        var text = GeneratedText(
            tokenizer, after: prompt, showsSpecial: special, stops: length.stop)
        let (ids, summary) = try generate(task, &text, screen)
        try screen.finish(text.finish(), summary)
        guard json else { return }
        let document = GenerationDocument(
            prompt: prompt, ids: ids, text: text.text, stopString: text.isStopped, summary: summary)
        try StandardStream.output.write(document.json.text() + "\n")
    }

    private func options(
        _ checkpoint: Checkpoint, _ tokenizer: Tokenizer
    ) throws -> GenerationOptions {
        var options = GenerationOptions()
        options.sampling = choice.sampling
        options.maximumTokenCount = length.maxTokens
        options.stopTokens = length.ignoreEos ? [] : try StopTokens.of(checkpoint, tokenizer)
        options.cacheEncoding = kvType.encoding
        options.threadCount = work.threads
        return options
    }

    private func generate(
        _ task: GenerationTask, _ text: inout GeneratedText, _ screen: GenerationScreen
    ) throws -> ([Int32], GenerationSummary) {
        if let beams = choice.beams {
            let search = BeamSearch(task.model, beamCount: beams, task.options)
            let result = try search.search(after: task.prompt, promptDone: screen.promptDone)
            for id in result.ids where !text.isStopped { try screen.show(text.append(id)) }
            return (result.ids, result.summary)
        }
        var ids: [Int32] = []
        let receiver = { (id: Int32) throws -> Bool in
            ids.append(id)
            try screen.show(text.append(id))
            return !text.isStopped
        }
        guard let draft = drafting.draft else {
            let generator = Generator(task.model, task.options)
            let summary = try generator.generate(
                after: task.prompt, promptDone: screen.promptDone, receiver: receiver)
            return (ids, summary)
        }
        let generator = SpeculativeGenerator(
            task.model, draft: try DraftOptions.open(draft, sharing: task.tokenizer),
            draftTokenCount: drafting.draftTokens, task.options)
        let summary = try generator.generate(
            after: task.prompt, promptDone: screen.promptDone, receiver: receiver)
        return (ids, summary)
    }
}

/// What there is to do, when all options are settled.
private struct GenerationTask {
    let model: LanguageModel
    let tokenizer: Tokenizer
    let prompt: [Int32]
    let options: GenerationOptions
}

/// `--kv-type`
enum CacheType: String, ExpressibleByArgument, CaseIterable {
    case f32, f16, q8_0

    var encoding: CacheEncoding {
        switch self {
        case .f32: .f32
        case .f16: .f16
        case .q8_0: .q8_0
        }
    }
}
