import BlockFormats
import Kernels

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
    init?(_ hessian: Hessian, groupSize: Int) {
        let columns = hessian.columns
        self.groupSize = groupSize
        (factors, inverses) = (
            Matrix(rows: columns, columns: groupSize), Matrix(rows: columns, columns: groupSize)
        )
        rates = Matrix(rows: 1, columns: columns)
        var order: [Int] = []
        for start in stride(from: 0, to: columns, by: groupSize) {
            let count = min(groupSize, columns - start)
            let members = (start..<start + count).sorted {
                (hessian.diagonal[$1], $0) < (hessian.diagonal[$0], $1)
            }
            guard let factor = Hessian.factor(hessian.damped, damping: 0, order: members) else {
                return nil
            }
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
            order += members
        }
        self.order = order
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
