import Architectures
import ArgumentParser
import ByteIO
import Conversion
import Generation
import Inference

/// Tokens made one at a time.
struct GenerateBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Tokens made one at a time, after a prompt of one.")

    @Argument(help: "The model to run.") var model: String
    @Option(help: "Tokens to make.") var tokens = 128
    @OptionGroup var options: BenchmarkOptions

    func run() throws {
        let model = try LanguageModel(ModelFile.open(model, isRun: true))
        var generation = GenerationOptions()
        generation.maximumTokenCount = tokens + 1
        generation.threadCount = options.threads
        let generator = Generator(model, generation)
        var samples = Samples("tokens", amount: 1)
        for _ in 0..<options.rounds {
            let session = GenerationClock()
            _ = try generator.generate(after: [1]) { _ in
                session.tokenIsThere()
                return true
            }
            samples.all += session.samples
        }
        print(samples.json.text())
    }
}

/// One sample for each token after the first.
private final class GenerationClock {
    private(set) var samples: [Sample] = []
    private var last: Sample.Instant?

    func tokenIsThere() {
        let now = Sample.Instant.now
        if let last { samples.append(Sample(from: last, to: now)) }
        last = now
    }
}
