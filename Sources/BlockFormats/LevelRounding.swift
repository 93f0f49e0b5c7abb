import CKernels

/// Rounds a number in each lane to the nearest level of a grid.
///
/// Levels are kept as the `Float`s that they multiply a scale as, for codebooks too; codes are made
/// of them only when a block is packed.
package struct LevelRounding: Sendable {
    private let lowest: Float
    private let highest: Float
    /// The midpoints between a codebook's levels; empty for a uniform grid.
    private let midpoints: [Float]
    /// The steps across the midpoints.
    private let heights: [Float]

    package init(_ levels: LevelGrid.Levels) {
        switch levels {
        case .uniform(let range):
            (lowest, highest) = (Float(range.lowerBound), Float(range.upperBound))
            (midpoints, heights) = ([], [])
        case .codebook(let codebook):
            let values = codebook.map(Float.init)
            (lowest, highest) = (values.first ?? 0, values.last ?? 0)
            midpoints = zip(values, values.dropFirst()).map { ($0 + $1) / 2 }
            heights = zip(values, values.dropFirst()).map { $1 - $0 }
        }
    }

    /// The mean distance between neighbouring levels.
    package var spacing: Float {
        midpoints.isEmpty ? 1 : (highest - lowest) / Float(midpoints.count)
    }

    /// Whether all levels are equally far apart.
    var isUniform: Bool { midpoints.isEmpty }

    /// Whether the levels are as many as a byte tells apart, and the same on both sides of zero.
    var hasManyLevels: Bool { isUniform && lowest == -highest && highest > 100 }

    package var bounds: (lowest: Float, highest: Float) { (lowest, highest) }

    /// levels = the nearest level to (values − minimums) · inverseScales. Ties go to the even level
    /// of a uniform grid and to the lower one of a codebook; NaN to the lowest.
    package func round(
        _ values: UnsafePointer<Float>, minimums: UnsafePointer<Float>,
        inverseScales: UnsafePointer<Float>, into levels: Lanes
    ) {
        if midpoints.isEmpty {
            let (lowest, highest) = (lowest, highest)
            for lane in 0..<Tile.lanes {
                // Clamped first, so that the sum below stays where its last place counts 1:
                // `rounded()` is a library call on processors without SSE4.1, and the package asks
                // for none.
                let steps = (values[lane] - minimums[lane]) * inverseScales[lane]
                let above = steps > lowest ? steps : lowest
                let inside = above < highest ? above : highest
                levels[lane] = (inside + roundingPoint) - roundingPoint
            }
        } else {
            roundToCodebook(
                values, minimums: minimums, inverseScales: inverseScales, into: levels)
        }
    }

    private func roundToCodebook(
        _ values: UnsafePointer<Float>, minimums: UnsafePointer<Float>,
        inverseScales: UnsafePointer<Float>, into levels: Lanes
    ) {
        withUnsafeTemporaryAllocation(of: Float.self, capacity: Tile.lanes) { scratch in
            guard let scaled = scratch.baseAddress else { return }
            for lane in 0..<Tile.lanes {
                scaled[lane] = (values[lane] - minimums[lane]) * inverseScales[lane]
                levels[lane] = lowest
            }
            for (midpoint, height) in zip(midpoints, heights) {
                for lane in 0..<Tile.lanes {
                    levels[lane] += scaled[lane] > midpoint ? height : 0
                }
            }
        }
    }
}

/// How the columns of a block make up for each other's errors.
package struct BlockFeedback {
    /// Columns.
    let count: Int
    /// (count, count): what an error in a row's column takes out of a later column.
    let factor: UnsafePointer<Float>
    /// (count): what errors are multiplied with before that.
    let rates: UnsafePointer<Float>

    package init(count: Int, factor: UnsafePointer<Float>, rates: UnsafePointer<Float>) {
        (self.count, self.factor, self.rates) = (count, factor, rates)
    }
}

extension LevelRounding {
    /// Rounds a block's columns one after the other, with error feedback among them.
    ///
    /// - Parameters:
    ///   - x: (columns, lanes).
    ///   - feedback: what an error in a column takes out of the columns after it.
    ///   - scales: of the block.
    ///   - minimums: of the block.
    ///   - inverseScales: of the block.
    ///   - levels: (columns, lanes), receives the levels.
    ///   - errors: receives, for each lane, the sum of the squares of the errors times the rates.
    package func feedBack(
        _ x: UnsafePointer<Float>, _ feedback: BlockFeedback, scales: UnsafePointer<Float>,
        minimums: UnsafePointer<Float>, inverseScales: UnsafePointer<Float>, into levels: Lanes,
        errors: Lanes
    ) {
        withKernelLevels {
            detent_level_feedback(
                x, feedback.factor, feedback.rates, feedback.count, Tile.lanes, scales, minimums,
                inverseScales, $0, levels, errors)
        }
    }

    /// The definition that `feedBack` must match bit for bit.
    package func feedBackReference(
        _ x: UnsafePointer<Float>, _ feedback: BlockFeedback, scales: UnsafePointer<Float>,
        minimums: UnsafePointer<Float>, inverseScales: UnsafePointer<Float>, into levels: Lanes,
        errors: Lanes
    ) {
        let count = feedback.count
        var (work, level) = (
            [Float](repeating: 0, count: Tile.lanes), [Float](repeating: 0, count: Tile.lanes)
        )
        var losses = [[Float]](repeating: work, count: count)
        errors.fillLanes(0)
        for column in 0..<count {
            for lane in 0..<Tile.lanes {
                work[lane] = x[column * Tile.lanes + lane]
                for earlier in 0..<column {
                    work[lane] -= feedback.factor[earlier * count + column] * losses[earlier][lane]
                }
            }
            level.withUnsafeMutableBufferPointer { level in
                guard let start = level.baseAddress else { return }
                round(work, minimums: minimums, inverseScales: inverseScales, into: start)
            }
            for lane in 0..<Tile.lanes {
                let rounded = scales[lane] * level[lane] + minimums[lane]
                let loss = (work[lane] - rounded) * feedback.rates[column]
                losses[column][lane] = loss
                errors[lane] += loss * loss
                levels[column * Tile.lanes + lane] = level[lane]
            }
        }
    }

    /// Rounds columns, and says what that costs.
    ///
    /// - Parameters:
    ///   - x: (columns, lanes).
    ///   - counts: what an error in each column counts.
    ///   - scales: of the columns.
    ///   - minimums: of the columns.
    ///   - inverseScales: of the columns.
    ///   - levels: (columns, lanes), receives the levels, of magnitude up to 128.
    ///   - squares: the counted squares of the weights are added to it.
    ///   - errors: the counted squares of the errors are added to it.
    package func encode(
        _ x: UnsafePointer<Float>, counts: UnsafeBufferPointer<Float>,
        scales: UnsafePointer<Float>, minimums: UnsafePointer<Float>,
        inverseScales: UnsafePointer<Float>, into levels: UnsafeMutablePointer<Int8>,
        squares: Lanes, errors: Lanes
    ) {
        withKernelLevels {
            detent_level_codes(
                x, counts.baseAddress, counts.count, Tile.lanes, scales, minimums, inverseScales,
                $0, levels, squares, errors)
        }
    }

    /// The definition that `encode` must match bit for bit.
    package func encodeReference(
        _ x: UnsafePointer<Float>, counts: UnsafeBufferPointer<Float>,
        scales: UnsafePointer<Float>, minimums: UnsafePointer<Float>,
        inverseScales: UnsafePointer<Float>, into levels: UnsafeMutablePointer<Int8>,
        squares: Lanes, errors: Lanes
    ) {
        var level = [Float](repeating: 0, count: Tile.lanes)
        for column in counts.indices {
            let x = x + column * Tile.lanes
            level.withUnsafeMutableBufferPointer { level in
                guard let start = level.baseAddress else { return }
                round(x, minimums: minimums, inverseScales: inverseScales, into: start)
            }
            for lane in 0..<Tile.lanes {
                let error: Float = x[lane] - (scales[lane] * level[lane] + minimums[lane])
                squares[lane] += counts[column] * (x[lane] * x[lane])
                errors[lane] += counts[column] * (error * error)
                levels[column * Tile.lanes + lane] = Int8(level[lane])
            }
        }
    }

    /// The levels as the kernels take them.
    @inline(__always)
    func withKernelLevels<Result>(_ body: (UnsafePointer<detent_levels>) -> Result) -> Result {
        midpoints.withUnsafeBufferPointer { midpoints in
            heights.withUnsafeBufferPointer { heights in
                var levels = detent_levels(
                    lowest: lowest, highest: highest, step_count: midpoints.count,
                    midpoints: midpoints.baseAddress, heights: heights.baseAddress)
                return withUnsafePointer(to: &levels, body)
            }
        }
    }
}

/// 1.5 · 2²³: a sum with it is rounded to a whole number, ties to even.
private let roundingPoint: Float = 12_582_912

/// 1 / scale, or 0 where dividing would leave the range of `Float`.
@inline(__always)
package func inverse(ofScale scale: Float) -> Float {
    scale.magnitude < .leastNormalMagnitude ? 0 : 1 / scale
}
