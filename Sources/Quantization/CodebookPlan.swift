import BlockFormats
import Kernels

/// What GPTQ on codebooks needs to know of a Hessian, for all rows of a matrix.
///
/// Eight columns at a time are rounded together: a *group*, whose signs and vectors are stored
/// together. Groups whose inputs are large come first; the columns of a group stay in order.
final class CodebookPlan: Sendable {
    let hessian: Hessian
    /// The column that is rounded first, second, ….
    let order: [Int]
    let isNatural: Bool
    /// As the Hessian's factor, in this order.
    let factor: Matrix
    /// For each group in this order, what errors in its columns cost when the columns that come later
    /// make up for them as well as they can: (group, 8 × 8). With U the group's part of the factor,
    /// U⁻¹·U⁻ᵀ.
    let feedbackMetrics: Matrix
    /// For each group from left to right, its part of the damped Hessian: (group, 8 × 8).
    let descentMetrics: Matrix

    /// The plan, or nil where the Hessian cannot be factored in the order of groups.
    init?(_ hessian: Hessian, order columnOrder: [Int]) {
        let (width, columns) = (CodebookGrid.groupSize, hessian.columns)
        isNatural = columnOrder.elementsEqual(0..<columns)
        var order = Array(0..<columns)
        if !isNatural {
            let sums = stride(from: 0, to: columns, by: width).map {
                hessian.diagonal[$0..<$0 + width].reduce(0, +)
            }
            let groups = sums.indices.sorted { (sums[$1], $0) < (sums[$0], $1) }
            order = groups.flatMap { group in (0..<width).map { group * width + $0 } }
        }
        guard let factor = Hessian.factor(hessian.damped, damping: 0, order: order) else {
            return nil
        }
        (self.hessian, self.order, self.factor) = (hessian, order, factor)
        feedbackMetrics = Matrix(rows: columns / width, columns: width * width)
        descentMetrics = Matrix(rows: columns / width, columns: width * width)
        for group in 0..<columns / width {
            let first = group * width
            for i in 0..<width {
                for j in 0..<width {
                    descentMetrics[group, i * width + j] = hessian.damped[first + i, first + j]
                }
            }
            Self.setMetric(feedbackMetrics.row(group), factor, first)
        }
    }

    private static func setMetric(
        _ metric: UnsafeMutableBufferPointer<Float>, _ factor: Matrix, _ first: Int
    ) {
        // `factor` holds Uᵀ; column i of U⁻¹, from the bottom up.
        let width = CodebookGrid.groupSize
        var inverse = [[Double]](
            repeating: [Double](repeating: 0, count: width), count: width)
        for column in 0..<width {
            for row in (0...column).reversed() {
                var sum = row == column ? 1.0 : 0.0
                for k in row + 1..<max(column + 1, row + 1) {
                    sum -= Double(factor[first + k, first + row]) * inverse[k][column]
                }
                inverse[row][column] = sum / Double(factor[first + row, first + row])
            }
        }
        for i in 0..<width {
            for j in 0..<width {
                metric[i * width + j] = Float(
                    (0..<width).reduce(0.0) { $0 + inverse[i][$1] * inverse[j][$1] })
            }
        }
    }
}
