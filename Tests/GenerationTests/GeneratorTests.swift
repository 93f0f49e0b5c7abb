import Architectures
import Generation
import Inference
import TensorIR
import TestSupport
import Testing

private let prompt: [Int32] = [3, 1, 4, 1, 5]

private func generate(
    _ generator: Generator, after ids: [Int32] = prompt
) throws -> ([Int32], GenerationSummary) {
    var tokens: [Int32] = []
    let summary = try generator.generate(after: ids) {
        tokens.append($0)
        return true
    }
    return (tokens, summary)
}

private func generate(_ generator: SpeculativeGenerator) throws -> ([Int32], GenerationSummary) {
    var tokens: [Int32] = []
    let summary = try generator.generate(after: prompt) {
        tokens.append($0)
        return true
    }
    return (tokens, summary)
}

private func options(_ count: Int, _ edit: (inout GenerationOptions) -> Void = { _ in })
    -> GenerationOptions
{
    var options = GenerationOptions()
    options.maximumTokenCount = count
    options.threadCount = 2
    edit(&options)
    return options
}

@Test func greedyTokensAreTheMostLikelyOnes() throws {
    let model = try RandomModel().make()
    let (tokens, summary) = try generate(Generator(model, options(20)))
    let logits = try model.logits(of: prompt + tokens)
    for (index, token) in tokens.enumerated() {
        let row = logits[prompt.count - 1 + index]
        #expect(row[Int(token)] == row.max())
    }
    #expect(summary.promptTokenCount == 5)
    #expect(summary.tokenCount == 20 && tokens.count == 20)
    #expect(summary.stopReason == .tokenLimit)
}

@Test func theSameSeedGivesTheSameTextOnAnyNumberOfThreads() throws {
    let model = try RandomModel().make()
    func text(_ seed: UInt64, threads: Int) throws -> [Int32] {
        try generate(
            Generator(
                model,
                options(30) {
                    ($0.sampling.temperature, $0.sampling.seed) = (1, seed)
                    $0.threadCount = threads
                })
        ).0
    }
    let first = try text(7, threads: 1)
    #expect(try text(7, threads: 3) == first)
    #expect(try text(8, threads: 1) != first)
}

@Test func aStopTokenEndsTheTextAndIsNotPartOfIt() throws {
    let model = try RandomModel().make()
    let (tokens, _) = try generate(Generator(model, options(20)))
    let place = try #require(tokens.indices.first { !tokens[..<$0].contains(tokens[$0]) && $0 > 2 })
    let (short, summary) = try generate(
        Generator(model, options(20) { $0.stopTokens = [tokens[place]] }))
    #expect(short == Array(tokens[..<place]))
    #expect(summary.stopReason == .stopToken(tokens[place]))
}

@Test func theReceiverMayEndTheText() throws {
    var count = 0
    let summary = try Generator(RandomModel().make(), options(20)).generate(after: prompt) { _ in
        count += 1
        return count < 3
    }
    #expect(count == 3 && summary.tokenCount == 3 && summary.stopReason == .receiver)
}

@Test func theContextEndsTheText() throws {
    let model = try RandomModel(contextLength: 12).make()
    let (tokens, summary) = try generate(Generator(model, options(100)))
    #expect(tokens.count == 7 && summary.stopReason == .contextFull)
    let long = Array(repeating: Int32(1), count: 12)
    #expect { try generate(Generator(model, options(1)), after: long) } throws: {
        "\($0)".contains("12 tokens") && "\($0)".contains("context of 12")
    }
    #expect(throws: ModelError.self) { try generate(Generator(model, options(1)), after: []) }
}

@Test(arguments: [1, 4, 15], CacheEncoding.allCases)
func draftsDoNotChangeGreedyText(draftTokenCount: Int, encoding: CacheEncoding) throws {
    // Blocks of Q8_0 are 32 wide, and this model's rows 8.
    guard encoding != .q8_0 else { return }
    let model = try RandomModel().make()
    for noise: Float in [0, 0.05, 3] {
        let draft = try RandomModel(noise: noise).make()
        let options = options(50) { $0.cacheEncoding = encoding }
        let (expected, plain) = try generate(Generator(model, options))
        let (tokens, summary) = try generate(
            SpeculativeGenerator(
                model, draft: draft, draftTokenCount: draftTokenCount, options))
        #expect(tokens == expected)
        #expect(summary.tokenCount == 50 && summary.stopReason == .tokenLimit)
        #expect(summary.stepCount <= plain.stepCount)
        #expect(summary.acceptedCount <= summary.draftedCount)
        if noise == 0 { #expect(summary.acceptedCount == summary.draftedCount) }
        if noise == 0, draftTokenCount == 4 { #expect(summary.stepCount == 10) }
    }
}

@Test func draftsEndWhereTheirContextEnds() throws {
    let model = try RandomModel().make()
    for contextLength in [3, 10] {
        let draft = try RandomModel(contextLength: contextLength).make()
        let (tokens, summary) = try generate(
            SpeculativeGenerator(model, draft: draft, draftTokenCount: 3, options(30)))
        #expect(tokens == (try generate(Generator(model, options(30))).0))
        #expect(summary.draftedCount == (contextLength == 3 ? 0 : 3))
    }
}

@Test func draftsDoNotChangeWhatRandomTextIsLike() throws {
    let model = try RandomModel(vocabularySize: 6).make()
    let draft = try RandomModel(vocabularySize: 6, noise: 0.5).make()
    // Pairs of tokens, drawn with and without drafts.
    var counts: [[Int]] = [[Int](repeating: 0, count: 36), [Int](repeating: 0, count: 36)]
    for seed in 0..<UInt64(3000) {
        let options = options(3) {
            ($0.sampling.temperature, $0.sampling.seed, $0.threadCount) = (1, seed, 1)
        }
        let texts = [
            try generate(Generator(model, options)).0,
            try generate(
                SpeculativeGenerator(model, draft: draft, draftTokenCount: 2, options)
            ).0,
        ]
        for (way, text) in texts.enumerated() { counts[way][Int(text[1]) * 6 + Int(text[2])] += 1 }
    }
    // Two samples of one distribution: each term has variance one (a chi-square test of homogeneity).
    let statistic = zip(counts[0], counts[1]).reduce(0.0) { sum, pair in
        let (a, b) = (Double(pair.0), Double(pair.1))
        return a + b == 0 ? sum : sum + (a - b) * (a - b) / (a + b)
    }
    #expect(statistic < 36 + 5 * 72.0.squareRoot())
}
