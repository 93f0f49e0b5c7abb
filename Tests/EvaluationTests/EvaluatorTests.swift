import Evaluation
import Kernels
import ProgressReporting
import TestSupport
import Testing

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A model that looks its logits up: each token has a row of a seeded table.
struct TableModel: LogitSource {
    let table: Matrix

    var vocabularySize: Int { table.columns }

    /// A vocabulary of logits of some deviation.
    init(vocabulary: Int, seed: UInt64, deviation: Float = 3) {
        var generator = SeededGenerator(seed: seed)
        let logits = generator.normals(vocabulary * vocabulary).map { deviation * $0 }
        table = Matrix(rows: vocabulary, columns: vocabulary, logits)
    }

    /// The "hidden state" of a token is its id.
    func hiddenStates(of windows: [[Int32]]) throws -> Matrix {
        let ids = windows.flatMap { $0 }
        return Matrix(rows: ids.count, columns: 1, ids.map { Float($0) })
    }

    func logits(
        of hidden: Matrix, rows: [Int], into logits: UnsafeMutableBufferPointer<Float>
    ) throws {
        for (index, row) in rows.enumerated() {
            let source = table.row(Int(hidden[row, 0]))
            for column in 0..<vocabularySize {
                logits[index * vocabularySize + column] = source[column]
            }
        }
    }

    /// log-probabilities after a token, by definition, in double precision.
    func logProbabilities(after id: Int32) -> [Double] {
        let logits = table.row(Int(id)).map(Double.init)
        let total = log(logits.reduce(0) { $0 + exp($1) })
        return logits.map { $0 - total }
    }
}

private let vocabulary = 200

private func text(_ count: Int) -> [Int32] {
    var generator = SeededGenerator(seed: 11)
    return (0..<count).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &generator) }
}

/// The kernels' exponential is off by 2⁻²² at most, and a log-probability around 10 is a `Float`, off by
/// 2⁻²⁰ at most while the divergence is summed.
private let kernelTolerance = 0x1p-19

@Suite struct EvaluatorTests {
    private let model = TableModel(vocabulary: vocabulary, seed: 1)
    private let reference = TableModel(vocabulary: vocabulary, seed: 2)
    private let convention = Convention.halfWindow(context: 32)
    private let windows: [EvaluationWindow]

    init() throws {
        windows = try convention.windows(of: text(200), beginningOfText: nil)
    }

    private func evaluate(
        _ configure: (inout Evaluator) -> Void = { _ in }, threads: Int = 2
    ) throws -> EvaluationResult {
        var evaluator = try Evaluator(
            model: model, reference: reference, workers: Workers(threadCount: threads))
        configure(&evaluator)
        return try evaluator.evaluate(windows, convention: convention)
    }

    @Test func figuresFollowTheirDefinitions() throws {
        var losses: [Double] = []
        var referenceLosses: [Double] = []
        var divergences: [Double] = []
        var agreements: [Double] = []
        var squares: [Double] = []
        for window in windows {
            for position in window.scored {
                let (id, next) = (window.ids[position], Int(window.ids[position + 1]))
                let q = model.logProbabilities(after: id)
                let p = reference.logProbabilities(after: id)
                losses.append(-q[next])
                referenceLosses.append(-p[next])
                squares.append((exp(q[next]) - exp(p[next])) * (exp(q[next]) - exp(p[next])))
                divergences.append(zip(p, q).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) })
                let (first, second) = (
                    q.firstIndex(of: q.max() ?? 0), p.firstIndex(of: p.max() ?? 0)
                )
                agreements.append(first == second ? 1 : 0)
            }
        }
        let result = try evaluate()
        let comparison = try #require(result.comparison)
        func isClose(_ a: Double?, _ b: Double?) -> Bool {
            guard let a, let b else { return false }
            return abs(a - b) <= kernelTolerance * max(1, abs(b))
        }
        #expect(result.tokensScored == losses.count)
        #expect(isClose(result.perplexity, exp(SampleMean(losses).mean)))
        #expect(
            isClose(
                result.perplexityStandardError,
                SampleMean(losses).standardError.map { $0 * exp(SampleMean(losses).mean) }))
        #expect(isClose(comparison.referencePerplexity, exp(SampleMean(referenceLosses).mean)))
        #expect(isClose(comparison.divergence.mean, SampleMean(divergences).mean))
        #expect(
            isClose(comparison.divergence.standardError, SampleMean(divergences).standardError))
        #expect(isClose(comparison.divergenceQuantiles.maximum, divergences.max()))
        #expect(comparison.sameTop.mean == SampleMean(agreements).mean)
        #expect(
            isClose(
                comparison.rootMeanSquareProbabilityDifference,
                SampleMean(squares).mean.squareRoot()))
        // What the issue asks for, in nats and as a share.
        #expect(abs(comparison.divergence.mean - SampleMean(divergences).mean) <= 1e-6)
        #expect(abs(result.perplexity / exp(SampleMean(losses).mean) - 1) <= 1e-6)
        #expect(
            isClose(
                comparison.perplexityRatio, result.perplexity / comparison.referencePerplexity))
    }

    @Test func blocksAreWindowsAndHoldTheirSums() throws {
        let result = try evaluate()
        #expect(result.blocks.map(\.tokenCount) == windows.map(\.scored.count))
        let sum = result.blocks.reduce(0) { $0 + $1.negativeLogLikelihood }
        let mean = result.meanNegativeLogLikelihood.mean
        #expect(abs(sum / Double(result.tokensScored) - mean) < 1e-12)
        #expect(result.meanNegativeLogLikelihood.blockCount == windows.count)
    }

    @Test func theWorstTokensComeFirstAndAreTheTextsOwn() throws {
        let result = try evaluate()
        let comparisons = result.notableTokens.compactMap(\.comparison)
        #expect(result.notableTokens.count == 10 && comparisons.count == 10)
        #expect(comparisons[0].divergence == result.comparison?.divergenceQuantiles.maximum)
        let divergences = comparisons.map(\.divergence)
        #expect(divergences == divergences.sorted(by: >))
        for token in result.notableTokens {
            let ids = windows[token.window].ids
            #expect(token.id == ids[token.position])
            #expect(token.context == Array(ids[..<token.position].suffix(16)))
            let q = model.logProbabilities(after: ids[token.position - 1])
            #expect(abs(token.negativeLogLikelihood + q[Int(token.id)]) <= 1e-5)
        }
    }

    @Test func aModelDoesNotDifferFromItself() throws {
        let evaluator = try Evaluator(model: model, reference: model, workers: Workers())
        let result = try evaluator.evaluate(windows, convention: convention)
        let comparison = try #require(result.comparison)
        #expect(comparison.perplexityRatio == 1)
        #expect(comparison.sameTop.mean == 1)
        #expect(abs(comparison.divergence.mean) <= kernelTolerance)
    }

    @Test(arguments: [1, 33, 64, 100_000], [1, 200, 1000, 1 << 24])
    func batchesAndTilesChangeMemoryNotFigures(tokens: Int, logits: Int) throws {
        let tiled = try evaluate {
            $0.tokensPerBatch = tokens
            $0.logitsPerTile = logits
        }
        #expect(tiled == (try evaluate()))
    }

    @Test func threadsChangeSpeedNotFigures() throws {
        #expect(try evaluate(threads: 1) == evaluate(threads: 3))
    }

    @Test func windowsOfDifferentLengthsAreScoredInOrder() throws {
        let strided = Convention.strided(context: 32, stride: 20)
        let windows = try strided.windows(of: text(75), beginningOfText: nil)
        let result = try Evaluator(model: model, workers: Workers()).evaluate(
            windows, convention: strided)
        #expect(result.tokensScored == 74)
        #expect(result.comparison == nil)
    }

    @Test func refusesAReferenceWithAnotherVocabulary() {
        #expect(throws: EvaluationError.vocabulariesDiffer(model: vocabulary, reference: 7)) {
            try Evaluator(
                model: model, reference: TableModel(vocabulary: 7, seed: 1), workers: Workers())
        }
    }

    @Test(arguments: [Float.nan, .infinity])
    func refusesLogitsThatAreNotFinite(value: Float) throws {
        let broken = TableModel(vocabulary: vocabulary, seed: 3)
        broken.table[Int(windows[2].ids[20]), 5] = value
        #expect(throws: EvaluationError.self) {
            try Evaluator(model: broken, workers: Workers()).evaluate(
                windows, convention: convention)
        }
    }
}

/// A model that gives other logits when it is asked again.
private struct WaveringModel: RepeatableLogitSource {
    let model: TableModel
    let noise: Float

    var vocabularySize: Int { model.vocabularySize }

    func hiddenStates(of windows: [[Int32]]) throws -> Matrix {
        try model.hiddenStates(of: windows)
    }

    /// What is behind the point is not part of the id.
    func hiddenStatesAgain(of window: [Int32]) throws -> Matrix {
        Matrix(rows: window.count, columns: 1, window.map { Float($0) + 0.25 })
    }

    func logits(
        of hidden: Matrix, rows: [Int], into logits: UnsafeMutableBufferPointer<Float>
    ) throws {
        try model.logits(of: hidden, rows: rows, into: logits)
        guard let row = rows.first, hidden[row, 0] != hidden[row, 0].rounded() else { return }
        for index in logits.indices { logits[index] += index.isMultiple(of: 2) ? noise : -noise }
    }
}

/// To second order, noise of deviation e on each logit brings a divergence of e² / 2.
@Test(arguments: [Float(0), 0.01, 0.1]) func theNoiseFloorIsAReferencesDivergenceFromItself(
    noise: Float
) throws {
    let model = TableModel(vocabulary: vocabulary, seed: 1, deviation: 0.5)
    let convention = Convention.halfWindow(context: 128)
    let evaluator = try Evaluator(
        model: model, reference: WaveringModel(model: model, noise: noise), workers: Workers())
    let result = try evaluator.evaluate(
        convention.windows(of: text(256), beginningOfText: nil), convention: convention)
    let floor = try #require(result.comparison?.noiseFloor)
    #expect(floor.origin == .summation)
    #expect(abs(floor.divergence - Double(noise * noise) / 2) <= 0.1 * Double(noise * noise))
    #expect(result.comparison?.divergence.mean == 0)
}
