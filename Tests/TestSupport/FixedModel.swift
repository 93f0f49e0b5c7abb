import Evaluation
import Kernels

/// A model that answers every token with the same logits.
package struct FixedModel: LogitSource {
    private let row: [Float]

    package var vocabularySize: Int { row.count }

    package init(row: [Float]) { self.row = row }

    package func hiddenStates(of windows: [[Int32]]) throws -> Matrix {
        let count = windows.reduce(0) { $0 + $1.count }
        return Matrix(rows: count, columns: 1, [Float](repeating: 0, count: count))
    }

    package func logits(
        of hidden: Matrix, rows: [Int], into logits: UnsafeMutableBufferPointer<Float>
    ) throws {
        for index in logits.indices { logits[index] = row[index % row.count] }
    }
}
