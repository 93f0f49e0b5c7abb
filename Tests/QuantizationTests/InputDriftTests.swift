import Kernels
import TestSupport
import Testing

@testable import Quantization

@Suite struct InputDriftTests {
    /// Inputs as they were and as they are, (tokens, columns), and the stream, (tokens, rows).
    private struct Case {
        let before: Matrix
        var after: Matrix
        let streamBefore: Matrix
        var streamAfter: Matrix
        let weights: Matrix
        let columns = 40
        let rows = 12
        let tokens = 300

        init(seed: UInt64) {
            var generator = SeededGenerator(seed: seed)
            before = Matrix(rows: tokens, columns: columns, generator.normals(tokens * columns))
            weights = Matrix(rows: rows, columns: columns, generator.normals(rows * columns))
            let mixing = generator.normals(columns * columns).map { $0 * 0.05 }
            let toStream = generator.normals(columns * rows).map { $0 * 0.1 }
            after = Matrix(rows: tokens, columns: columns)
            streamAfter = Matrix(rows: tokens, columns: rows)
            streamBefore = Matrix(rows: tokens, columns: rows, generator.normals(tokens * rows))
            for token in 0..<tokens {
                for column in 0..<columns {
                    after[token, column] = before[token, column]
                    for other in 0..<columns {
                        after[token, column] +=
                            before[token, other] * mixing[other * columns + column]
                    }
                }
                // What the stream has lost can be told from the inputs.
                for row in 0..<rows {
                    streamAfter[token, row] = streamBefore[token, row]
                    for column in 0..<columns {
                        streamAfter[token, row] -=
                            after[token, column] * toStream[column * rows + row]
                    }
                }
            }
        }

        /// Σ a·bᵀ over some tokens, divided by the number of all.
        func product(
            _ chosen: some Sequence<Int>, _ a: (Int, Int) -> Float, rows: Int
        ) -> Matrix {
            let sum = Matrix(rows: rows, columns: columns)
            for row in 0..<rows {
                for column in 0..<columns {
                    var total = 0.0
                    for token in chosen {
                        total += Double(a(token, row)) * Double(after[token, column])
                    }
                    sum[row, column] = Float(total / Double(tokens))
                }
            }
            return sum
        }

        func compensation(withStream: Bool, threadCount: Int = 1) -> DriftCompensation {
            let whole = product(0..<tokens, { after[$0, $1] }, rows: columns)
            let halves = (0..<2).map { half in
                let chosen = stride(from: half, to: tokens, by: 2)
                return InputDrift.Half(
                    hessian: product(chosen, { after[$0, $1] }, rows: columns),
                    change: withStream
                        ? .ofStream(product(chosen, streamChange, rows: rows))
                        : .ofInputs(
                            product(chosen, { before[$0, $1] - after[$0, $1] }, rows: columns)))
            }
            return DriftCompensation(
                InputDrift(halves: halves, hessian: whole),
                hessian: Hessian(whole, dampingFraction: 1e-6),
                workers: Workers(threadCount: threadCount))
        }

        /// (r + W·x) − r̃
        private func streamChange(token: Int, row: Int) -> Float {
            var change = Double(streamBefore[token, row] - streamAfter[token, row])
            for column in 0..<columns {
                change += Double(weights[row, column] * before[token, column])
            }
            return Float(change)
        }

        /// Σ ‖(r + W·x) − (r̃ + V·x̃)‖²
        func error(of now: Matrix, withStream: Bool) -> Double {
            var error = 0.0
            for token in 0..<tokens {
                for row in 0..<rows {
                    var difference = 0.0
                    if withStream {
                        difference = Double(streamBefore[token, row] - streamAfter[token, row])
                    }
                    for column in 0..<columns {
                        difference += Double(weights[row, column] * before[token, column])
                        difference -= Double(now[row, column] * after[token, column])
                    }
                    error += difference * difference
                }
            }
            return error
        }
    }

    @Test(arguments: [false, true]) func whatInputsTellOfTheLossIsMadeUpFor(withStream: Bool) {
        let layer = Case(seed: 3)
        let (compensated, share) = layer.compensation(withStream: withStream).applied(
            to: layer.weights)
        // Here the loss is a linear function of the inputs, so all of it can be undone.
        #expect(share > 0.999)
        let before = layer.error(of: layer.weights, withStream: withStream)
        #expect(layer.error(of: compensated, withStream: withStream) < 1e-5 * before)
    }

    /// Forty columns explain a part of any noise of 300 tokens, and nothing of other tokens.
    @Test(arguments: 6..<12 as Range<UInt64>) func littleIsMadeOfNoise(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var layer = Case(seed: seed)
        layer.after = layer.before
        layer.streamAfter = Matrix(
            rows: layer.tokens, columns: layer.rows, generator.normals(layer.tokens * layer.rows))
        #expect(layer.compensation(withStream: true).applied(to: layer.weights).share < 0.2)
    }

    @Test func nothingIsMadeOfHalfAText() {
        let layer = Case(seed: 9)
        let hessian = Matrix(rows: layer.columns, columns: layer.columns)
        let drift = InputDrift.Half(hessian: hessian, change: .ofInputs(hessian))
        let compensation = DriftCompensation(
            InputDrift(halves: [drift, drift], hessian: hessian),
            hessian: Hessian(
                layer.product(0..<layer.tokens, { layer.after[$0, $1] }, rows: layer.columns)),
            workers: oneWorker)
        let result = compensation.applied(to: layer.weights)
        #expect(result.share == 0 && result.weights === layer.weights)
    }

    @Test func theCorrectionDoesNotDependOnTheThreadCount() {
        let layer = Case(seed: 5)
        let runs = [1, 3].map { threadCount -> [Float] in
            let compensated = layer.compensation(withStream: true, threadCount: threadCount)
                .applied(to: layer.weights).weights
            return withExtendedLifetime(compensated) { Array(compensated.elements) }
        }
        #expect(runs[0] == runs[1])
    }
}
