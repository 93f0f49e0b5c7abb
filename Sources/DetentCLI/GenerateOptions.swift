import Architectures
import ArgumentParser
import ByteIO
import Conversion
import Generation
import TensorIR
import Tokenization

/// What the model reads first.
struct PromptOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: ArgumentHelp("The prompt itself.", valueName: "text"))
    var prompt: String?

    @Option(
        name: [.customShort("f"), .long],
        help: ArgumentHelp(
            "A file with the prompt, '-' for standard input; a newline at its end is left out.",
            valueName: "file"),
        completion: .file())
    var promptFile: String?

    @Flag(help: "Take the prompt for a user's message, and put it into the model's chat template.")
    var chat = false

    @Option(
        help: ArgumentHelp("A system message to begin the conversation with.", valueName: "text"))
    var system: String?

    @Flag(help: "Print what the model would read, and stop.") var showPrompt = false

    func validate() throws {
        if (prompt == nil) == (promptFile == nil) {
            throw ValidationError("Name the prompt with either '--prompt' or '--prompt-file'.")
        }
        if system != nil, !chat { throw ValidationError("'--system' needs '--chat'.") }
    }

    /// The text, in the chat template where that is wanted.
    func text(for tokenizer: Tokenizer) throws -> String {
        let text = try given(tokenizer)
        guard chat else { return text }
        guard !tokenizer.definition.chatTemplates.isEmpty else {
            throw UsageError(
                "the model has no chat template",
                hint: "leave '--chat' out; the model then writes on")
        }
        let system = system.map { [ChatMessage(role: "system", $0)] } ?? []
        return try ChatFormat(tokenizer).prompt(
            system + [ChatMessage(role: "user", text)], date: LocalDate.text)
    }

    /// - Throws: what reading the text and encoding it throw.
    func ids(for tokenizer: Tokenizer) throws -> [Int32] {
        // A template spells out the special tokens that it wants.
        try tokenizer.encode(text(for: tokenizer), addSpecial: !chat)
    }

    private func given(_ tokenizer: Tokenizer) throws -> String {
        if let prompt { return prompt }
        let path = promptFile ?? "-"
        let bytes =
            path == "-" ? try StandardInput.contents() : try MappedFile.contents(ofFile: path)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            do {
                // Names the place.
                _ = try bytes.withUnsafeBytes { try tokenizer.encode(utf8: $0) }
            } catch let error as FormatError {
                throw error.inFile(path == "-" ? "standard input" : path)
            }
            throw ModelError("the prompt is not UTF-8")
        }
        // Editors end the last line, prompts mostly end in the middle of one.
        return text.utf8.last == UInt8(ascii: "\n") ? String(text.unicodeScalars.dropLast()) : text
    }
}

/// Where the text ends.
struct LengthOptions: ParsableArguments {
    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp(
            "Tokens to generate at most; fewer where the model's context ends.", valueName: "n"))
    var maxTokens = 512

    @Option(
        help: ArgumentHelp(
            "Stop before this text; may be given several times.", valueName: "text"))
    var stop: [String] = []

    @Flag(help: "Go on where the model would end the text.") var ignoreEos = false

    func validate() throws {
        if maxTokens < 1 { throw ValidationError("'--max-tokens' must be at least 1.") }
        if stop.contains("") { throw ValidationError("'--stop' needs a text.") }
    }
}

/// How tokens are chosen.
struct ChoiceOptions: ParsableArguments {
    @Option(
        name: [.customShort("t"), .long],
        help: ArgumentHelp(
            "Draw tokens at random: below 1 likely ones more often, above 1 unlikely ones.",
            valueName: "x"))
    var temperature: Float = 0

    @Option(help: ArgumentHelp("Keep the n most likely tokens.", valueName: "n"))
    var topK: Int?

    @Option(
        help: ArgumentHelp(
            "Keep the fewest tokens whose probabilities reach this sum.", valueName: "x"))
    var topP: Float?

    @Option(
        help: ArgumentHelp(
            "Keep tokens with this share of the most likely one's probability.", valueName: "x"))
    var minP: Float?

    @Option(help: ArgumentHelp("Where the random numbers start; 0 by default.", valueName: "n"))
    var seed: UInt64?

    @Option(
        help: ArgumentHelp(
            "Divide the logits of tokens that are there already; 1.1 is a start.", valueName: "x"))
    var repetitionPenalty: Float?

    @Option(
        help: ArgumentHelp("Penalize the last n tokens only; all by default.", valueName: "n"))
    var repetitionWindow: Int?

    @Option(
        help: ArgumentHelp(
            "Follow so many texts at once and print the most likely (beam search).", valueName: "n")
    )
    var beams: Int?

    /// Options that say how to draw.
    private var drawing: [String] {
        [
            ("--top-k", topK != nil), ("--top-p", topP != nil), ("--min-p", minP != nil),
            ("--seed", seed != nil),
        ].filter(\.1).map(\.0)
    }

    func validate() throws {
        func check(_ name: String, _ value: Float?, _ range: ClosedRange<Float>) throws {
            guard let value, !range.contains(value) else { return }
            throw ValidationError(
                "'\(name)' must be from \(range.lowerBound) to \(range.upperBound).")
        }
        try check("--temperature", temperature, 0...100)
        try check("--top-p", topP, 0.0001...1)
        try check("--min-p", minP, 0...1)
        try check("--repetition-penalty", repetitionPenalty, 0.01...100)
        if let topK, topK < 1 { throw ValidationError("'--top-k' must be at least 1.") }
        if let repetitionWindow, repetitionWindow < 1 {
            throw ValidationError("'--repetition-window' must be at least 1.")
        }
        if repetitionWindow != nil, repetitionPenalty == nil {
            throw ValidationError("'--repetition-window' needs '--repetition-penalty'.")
        }
        if temperature == 0, let name = drawing.first {
            throw ValidationError(
                "'\(name)' has no effect at temperature 0; add '--temperature <x>'.")
        }
        guard let beams else { return }
        guard (1...BeamSearch.maximumBeamCount).contains(beams) else {
            throw ValidationError(
                "'--beams' must be from 1 to \(BeamSearch.maximumBeamCount).")
        }
        if temperature != 0 || repetitionPenalty != nil {
            throw ValidationError(
                "'--beams' looks for the most likely text; leave out "
                    + "'--temperature' and '--repetition-penalty'.")
        }
    }

    var sampling: SamplingOptions {
        var options = SamplingOptions()
        options.temperature = temperature
        options.topK = topK
        options.topP = topP ?? 1
        options.minP = minP ?? 0
        options.seed = seed ?? 0
        options.repetitionPenalty = repetitionPenalty ?? 1
        options.repetitionWindow = repetitionWindow
        return options
    }
}

/// A smaller model that goes ahead.
struct DraftOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "A smaller model with the same vocabulary, whose guesses save steps of the model.",
            valueName: "model"),
        completion: .file())
    var draft: String?

    @Option(help: ArgumentHelp("Tokens to guess for each step.", valueName: "n"))
    var draftTokens = 5

    func validate() throws {
        let most = SpeculativeGenerator.maximumDraftTokenCount
        guard (1...most).contains(draftTokens) else {
            throw ValidationError("'--draft-tokens' must be from 1 to \(most).")
        }
    }

    /// Opens a draft model.
    /// - Throws: `UsageError` where its tokens are not those of the model.
    static func open(_ path: String, sharing tokenizer: Tokenizer) throws -> LanguageModel {
        let checkpoint = try ModelFile.open(path, isRun: true)
        let other = try Tokenizer(checkpoint: checkpoint)
        guard other.vocabularySize == tokenizer.vocabularySize else {
            throw UsageError(
                "the draft has \(other.vocabularySize) tokens, the model \(tokenizer.vocabularySize)",
                hint: "a draft must have the model's vocabulary")
        }
        if let id = tokenizer.definition.tokens.indices.first(where: {
            tokenizer.definition.tokens[$0] != other.definition.tokens[$0]
        }) {
            func text(_ tokenizer: Tokenizer) -> String {
                tokenizer.definition.tokens[id].escapedForDisplay
            }
            throw UsageError(
                "token \(id) of the draft is '\(text(other))', of the model '\(text(tokenizer))'",
                hint: "a draft must have the model's vocabulary")
        }
        return try LanguageModel(checkpoint)
    }
}
