import ArgumentParser
import Evaluation

/// How the text is cut and what of it is scored.
struct WindowOptions: ParsableArguments {
    @Option(
        name: [.customShort("c"), .long],
        help: ArgumentHelp("Tokens in a window.", valueName: "n"))
    var ctx = 512

    @Option(help: ArgumentHelp("Windows at most; all by default.", valueName: "n"))
    var chunks: Int?

    @Option(
        help: ArgumentHelp(
            "Move windows by so many tokens and score each token once, as Hugging Face does. By default "
                + "windows stand side by side and the second half of each is scored, as llama.cpp does.",
            valueName: "n"))
    var pplStride: Int?

    var convention: Convention {
        pplStride.map { .strided(context: ctx, stride: $0) } ?? .halfWindow(context: ctx)
    }

    func validate() throws {
        guard (4...1 << 24).contains(ctx) else {
            throw ValidationError("'--ctx' must be at least 4.")
        }
        if let chunks, chunks < 1 { throw ValidationError("'--chunks' must be at least 1.") }
        if let pplStride, !(1...ctx).contains(pplStride) {
            throw ValidationError("'--ppl-stride' must be between 1 and '--ctx', which is \(ctx).")
        }
    }
}
