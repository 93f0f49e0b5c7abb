import BlockFormats
import Kernels
import Synchronization

/// What GPTQ needs to know of a Hessian in order to round one block anew while all others stay.
final class BlockFactors: Sendable {
    /// Columns that share a scale.
    let groupSize: Int
    /// The columns of each block in the order of their rounding: large inputs first.
    private let order: [Int]
    /// For each block in that order, U of (damped Hessian of the block)⁻¹ = Uᵀ·U, row after row:
    /// (columns, groupSize).
    private let factors: Matrix
    /// 1 / the diagonal of U: (1, columns).
    private let rates: Matrix
    /// For each block in that order, the inverse itself: (columns, groupSize).
    private let inverses: Matrix

    /// The factors, or nil where one is lost to rounding.
    init?(_ hessian: Hessian, groupSize: Int, _ workers: Workers) {
        let columns = hessian.columns
        self.groupSize = groupSize
        (factors, inverses) = (
            Matrix(rows: columns, columns: groupSize), Matrix(rows: columns, columns: groupSize)
        )
        rates = Matrix(rows: 1, columns: columns)
        let blocks = (0..<columns).cut(by: groupSize).map { members in
            members.sorted { (hessian.diagonal[$1], $0) < (hessian.diagonal[$0], $1) }
        }
        order = blocks.flatMap(\.self)
        let isComplete = Mutex(true)
        workers.forEach(blocks.count) { index in
            let factor = Hessian.factor(hessian.damped, damping: 0, order: blocks[index])
            if let factor {
                store(factor, at: index * groupSize)
            } else {
                isComplete.withLock { $0 = false }
            }
        }
        guard isComplete.withLock(\.self) else { return nil }
    }

    /// Keeps what follows from Uᵀ of the block whose first column is `start`.
    private func store(_ factor: Matrix, at start: Int) {
        let count = factor.rows
        // Rows of a last block that has fewer columns lie closer together.
        let (upper, inverse) = (factors.pointer(toRow: start), inverses.pointer(toRow: start))
        for i in 0..<count {
            rates[0, start + i] = 1 / factor[i, i]
            for j in 0..<count {
                upper[i * count + j] = factor[j, i]
                let sum = (0..<count).reduce(0.0) {
                    $0 + Double(factor[i, $1]) * Double(factor[j, $1])
                }
                inverse[i * count + j] = Float(sum)
            }
        }
    }

    func order(_ members: Range<Int>) -> ArraySlice<Int> { order[members] }

    func feedback(_ members: Range<Int>) -> BlockFeedback {
        BlockFeedback(
            count: members.count, factor: factors.pointer(toRow: members.lowerBound),
            rates: rates.pointer(toRow: 0, column: members.lowerBound))
    }

    /// The inverse of a block's damped Hessian.
    func inverse(_ members: Range<Int>) -> MatrixOperand {
        MatrixOperand(inverses.pointer(toRow: members.lowerBound), stride: members.count)
    }
}
