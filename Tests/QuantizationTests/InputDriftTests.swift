import Kernels
import TestSupport
import Testing

@testable import Quantization

@Suite struct InputDriftTests {
    /// Inputs as they were and as they are, (tokens, columns), and the stream, (tokens, rows).
    private struct Case {
        let before: Matrix
        let after: Matrix
        let streamBefore: Matrix
        let streamAfter: Matrix
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

        /// Σ a·bᵀ / Σ 1 over tokens.
        func product(_ a: (Int, Int) -> Float, rows: Int) -> Matrix {
            let sum = Matrix(rows: rows, columns: columns)
            for row in 0..<rows {
                for column in 0..<columns {
                    var total = 0.0
                    for token in 0..<tokens {
                        total += Double(a(token, row)) * Double(after[token, column])
                    }
                    sum[row, column] = Float(total / Double(tokens))
                }
            }
            return sum
        }

        var hessian: Hessian {
            Hessian(product({ after[$0, $1] }, rows: columns), dampingFraction: 1e-6)
        }

        func drift(withStream: Bool) -> InputDrift {
            InputDrift(
                inputs: product({ before[$0, $1] - after[$0, $1] }, rows: columns),
                stream: withStream
                    ? product({ streamBefore[$0, $1] - streamAfter[$0, $1] }, rows: rows) : nil)
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
        let drift = layer.drift(withStream: withStream)
        let compensated = layer.hessian.compensate(
            layer.weights, for: drift, share: 1, workers: oneWorker)
        // Here the loss is a linear function of the inputs, so all of it can be undone.
        let before = layer.error(of: layer.weights, withStream: withStream)
        #expect(layer.error(of: compensated, withStream: withStream) < 1e-6 * before)
    }

    @Test func aShareOfTheCorrectionIsThatShare() {
        let layer = Case(seed: 4)
        let drift = layer.drift(withStream: true)
        let (all, half, none) = (
            layer.hessian.compensate(layer.weights, for: drift, share: 1, workers: oneWorker),
            layer.hessian.compensate(layer.weights, for: drift, share: 0.5, workers: oneWorker),
            layer.hessian.compensate(layer.weights, for: drift, share: 0, workers: oneWorker)
        )
        for index in all.elements.indices {
            let (weight, whole) = (layer.weights.elements[index], all.elements[index])
            #expect(none.elements[index] == weight)
            #expect(abs(half.elements[index] - (weight + whole) / 2) < 1e-5)
        }
    }

    @Test func theCorrectionDoesNotDependOnTheThreadCount() {
        let layer = Case(seed: 5)
        let drift = layer.drift(withStream: true)
        let runs = [1, 3].map { threadCount -> [Float] in
            let compensated = layer.hessian.compensate(
                layer.weights, for: drift, share: 0.5, workers: Workers(threadCount: threadCount))
            return withExtendedLifetime(compensated) { Array(compensated.elements) }
        }
        #expect(runs[0] == runs[1])
    }
}
