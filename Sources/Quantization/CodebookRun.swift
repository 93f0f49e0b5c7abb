import BlockFormats
import Kernels

/// The weights of one row that share a scale, while their vectors and scale are chosen anew.
///
/// A choice belongs to one thread; it owns the memory that it works in.
final class CodebookRun {
    private let grid: CodebookGrid
    private let choice: CodebookChoice
    private let width: Int
    private let numbers: Matrix
    /// What the run holds.
    let weights: Lanes
    /// The gradient there, as in `CodebookGPTQTile`.
    let gradient: Lanes
    /// What was reached.
    let reached: Lanes
    private let trial: Lanes
    private let slopes: Lanes
    /// The run's part of the damped Hessian: (width, width).
    private let hessian: Matrix
    /// Its groups' parts of that: (group, 8 × 8).
    private var metrics: UnsafeMutablePointer<Float>?

    init(_ grid: CodebookGrid, _ choice: CodebookChoice) {
        (self.grid, self.choice, width) = (grid, choice, grid.weightsPerScale)
        numbers = Matrix(rows: 5, columns: Tile.lanes)
        (weights, gradient, reached) = (numbers.lanes(0), numbers.lanes(1), numbers.lanes(2))
        (trial, slopes) = (numbers.lanes(3), numbers.lanes(4))
        hessian = Matrix(rows: width, columns: width)
    }

    func setHessian(_ plan: CodebookPlan, column: Int) {
        for i in 0..<width {
            for j in 0..<width { hessian[i, j] = plan.hessian.damped[column + i, column + j] }
        }
        metrics = plan.descentMetrics.pointer(toRow: column / CodebookGrid.groupSize)
    }

    /// Looks for vectors, and a scale, with a smaller error.
    ///
    /// - Parameters:
    ///   - block: the super-block, changed if something better was found.
    ///   - column: where the run starts.
    ///   - movingScale: whether the neighbours of the scale's code are tried as well.
    /// - Returns: whether the block was changed.
    func improve(_ block: inout CodebookBlock, column: Int, movingScale: Bool) -> Bool {
        let start = column % CodebookGrid.weightsPerBlock
        let present = Int(block.scaleCodes[start / width])
        let reach = movingScale ? 1 : 0
        let count = grid.codebook.count
        let ranges =
            grid.sharesShift ? [0..<count / 2, count / 2..<count] : [0..<count]
        var (best, least) = (block, Float(0))
        for code in max(present - reach, 0)...min(present + reach, grid.scaleCodeCount - 1) {
            for range in ranges {
                var candidate = block
                candidate.scaleCodes[start / width] = UInt8(code)
                let change = tryScale(in: &candidate, start, code: code, range: range)
                guard change < least else { continue }
                (best, least) = (candidate, change)
                reached.update(from: trial, count: width)
            }
        }
        guard least < 0 else { return false }
        block = best
        return true
    }

    /// Chooses vectors for a scale, and returns how the error changes.
    private func tryScale(
        in block: inout CodebookBlock, _ start: Int, code: Int, range: Range<Int>
    ) -> Float {
        let groupWidth = CodebookGrid.groupSize
        let scale = block.unit * grid.multiplier(UInt8(code))
        guard let metrics else { return 0 }
        // Where the present vectors are at this scale, and the gradient there.
        slopes.update(from: gradient, count: width)
        for group in 0..<width / groupWidth {
            choice.load(start + group * groupWidth, of: block)
            for i in 0..<groupWidth { trial[group * groupWidth + i] = scale * choice.levels[i] }
        }
        for j in 0..<width { move(j, by: trial[j] - weights[j]) }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: groupWidth) { scratch in
            guard let linear = scratch.baseAddress else { return }
            for group in 0..<width / groupWidth {
                let (first, metric) = (group * groupWidth, metrics + group * 64)
                for i in 0..<groupWidth {
                    linear[i] = slopes[first + i]
                    for j in 0..<groupWidth {
                        linear[i] += metric[i * groupWidth + j] * trial[first + j]
                    }
                }
                choice.load(start + first, of: block)
                choice.improve(metric: metric, product: linear, scale: scale, range: range)
                choice.store(start + first, in: &block)
                for i in 0..<groupWidth {
                    let weight = scale * choice.levels[i]
                    move(first + i, by: weight - trial[first + i])
                    trial[first + i] = weight
                }
            }
        }
        // With d the way from the present weights, d·H·d − 2·d·g, where H·d = g − slopes.
        var change: Float = 0
        for j in 0..<width { change -= (trial[j] - weights[j]) * (gradient[j] + slopes[j]) }
        return change
    }

    @inline(__always)
    private func move(_ j: Int, by step: Float) {
        guard step != 0 else { return }
        let row = hessian.pointer(toRow: j)
        for i in 0..<width { slopes[i] -= row[i] * step }
    }
}
