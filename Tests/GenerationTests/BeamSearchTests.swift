import Architectures
import Foundation
import Generation
import Inference
import TensorIR
import TestSupport
import Testing

private let prompt: [Int32] = [0, 2, 1]

/// A text, its end, and what it is worth.
private struct Text: Equatable {
    var ids: [Int32] = []
    var logProbability = 0.0
    var isEnded = false

    var score: Double { logProbability / Double(max(1, ids.count + (isEnded ? 1 : 0))) }
}

/// The log-probability of every token after some ids, by running the whole text.
private func logProbabilities(_ model: LanguageModel, after ids: [Int32]) throws -> [Double] {
    let row = try #require(try model.logits(of: ids).last).map(Double.init)
    let maximum = row.max() ?? 0
    let normalizer = maximum + log(row.reduce(0) { $0 + exp($1 - maximum) })
    return row.map { $0 - normalizer }
}

/// All texts of a length, and all that end before.
private func allTexts(
    _ model: LanguageModel, length: Int, stop: Set<Int32>, from text: Text = Text()
) throws -> [Text] {
    guard text.ids.count < length else { return [text] }
    var texts: [Text] = []
    for (id, logProbability) in try logProbabilities(model, after: prompt + text.ids).enumerated() {
        var next = text
        next.logProbability += logProbability
        if stop.contains(Int32(id)) {
            next.isEnded = true
            texts.append(next)
        } else {
            next.ids.append(Int32(id))
            texts += try allTexts(model, length: length, stop: stop, from: next)
        }
    }
    return texts
}

private func search(
    _ model: LanguageModel, beams: Int, length: Int, stop: Set<Int32>
) throws -> BeamSearch.Result {
    var options = GenerationOptions()
    (options.maximumTokenCount, options.stopTokens, options.threadCount) = (length, stop, 2)
    return try BeamSearch(model, beamCount: beams, options).search(after: prompt)
}

@Test(arguments: 1...6 as ClosedRange<UInt64>, [[], [3]] as [Set<Int32>])
func enoughBeamsFindTheBestOfAllTexts(seed: UInt64, stop: Set<Int32>) throws {
    let model = try RandomModel(vocabularySize: 4).make(seed: seed)
    let best = try #require(
        try allTexts(model, length: 4, stop: stop).max { $0.score < $1.score })
    // 64 beams hold every text of three tokens, so that nothing is lost on the way to four.
    let result = try search(model, beams: 64, length: 4, stop: stop)
    #expect(result.ids == best.ids)
    #expect(abs(result.logProbability - best.logProbability) < 1e-4)
    let isEnded = if case .stopToken = result.summary.stopReason { true } else { false }
    #expect(isEnded == best.isEnded)
}

/// Beam search as it is defined, without caches and reordering.
private func definition(
    _ model: LanguageModel, beams: Int, length: Int, stop: Set<Int32>
) throws -> Text {
    var running = [Text()]
    var ended: [Text] = []
    for _ in 0..<length {
        var extensions: [Text] = []
        for text in running {
            for (id, value) in try logProbabilities(model, after: prompt + text.ids).enumerated() {
                extensions.append(
                    Text(ids: text.ids + [Int32(id)], logProbability: text.logProbability + value))
            }
        }
        extensions.sort { $0.logProbability > $1.logProbability }
        for var text in extensions.prefix(beams) where stop.contains(text.ids[text.ids.count - 1]) {
            text.ids.removeLast()
            text.isEnded = true
            ended.append(text)
        }
        ended = Array(ended.sorted { $0.score > $1.score }.prefix(beams))
        running = Array(
            extensions.filter { !stop.contains($0.ids[$0.ids.count - 1]) }.prefix(beams))
        if ended.count == beams, running[0].score <= ended[beams - 1].score { break }
    }
    return try #require((ended + running).max { $0.score < $1.score })
}

@Test(arguments: [1, 2, 3, 5], [[], [7], [1, 7]] as [Set<Int32>])
func fewBeamsFindWhatTheDefinitionFinds(beams: Int, stop: Set<Int32>) throws {
    for seed in 1...4 as ClosedRange<UInt64> {
        let model = try RandomModel(vocabularySize: 9).make(seed: seed)
        let expected = try definition(model, beams: beams, length: 8, stop: stop)
        let result = try search(model, beams: beams, length: 8, stop: stop)
        #expect(result.ids == expected.ids, "seed \(seed)")
        #expect(abs(result.logProbability - expected.logProbability) < 1e-4)
    }
}

@Test func oneBeamIsGreedy() throws {
    let model = try RandomModel().make()
    var options = GenerationOptions()
    options.maximumTokenCount = 20
    var tokens: [Int32] = []
    _ = try Generator(model, options).generate(after: prompt) {
        tokens.append($0)
        return true
    }
    #expect(try search(model, beams: 1, length: 20, stop: []).ids == tokens)
}
