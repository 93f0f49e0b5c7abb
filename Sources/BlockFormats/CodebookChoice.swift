/// Chooses the vectors of eight weights under a scale where errors in different weights count
/// together: the least (q − x)ᵀ·metric·(q − x).
///
/// For given signs the search over the codebook is exact. Signs and vectors then take turns: those
/// signs change whose change helps, and the vectors are searched again. For vectors of four, the
/// two take turns as well.
///
/// A choice belongs to one thread; it owns the memory that it works in.
package final class CodebookChoice {
    let grid: CodebookGrid
    /// Place of each vector in the codebook; the second is used by vectors of four only.
    package var entries: (UInt16, UInt16) = (0, 0)
    package var signs: UInt8 = 0
    /// Eight levels, signed: what the choice is, in scales.
    package let levels: UnsafeMutablePointer<Float>

    private let form = Numbers(64)
    private let linear = Numbers(8)
    private let numbers = Numbers(24)
    private var slopes: UnsafeMutablePointer<Float> { numbers.start + 8 }
    private var gains: UnsafeMutablePointer<Float> { numbers.start + 16 }

    package init(_ grid: CodebookGrid) {
        self.grid = grid
        levels = numbers.start
    }

    private static let width = CodebookGrid.groupSize

    /// Starts from the weights themselves.
    package func start(from x: UnsafePointer<Float>, scale: Float) {
        let inverse = inverse(scale)
        signs = 0
        var least = (magnitude: Float.infinity, place: 0)
        for i in 0..<Self.width {
            levels[i] = x[i] * inverse
            guard grid.signs != .none else { continue }
            if x[i] < 0 { signs |= 1 << UInt8(i) }
            if x[i].magnitude < least.magnitude { least = (x[i].magnitude, i) }
        }
        if grid.signs == .even, signs.nonzeroBitCount % 2 == 1 { signs ^= 1 << UInt8(least.place) }
        entries = (0, 0)
    }

    /// Starts from a choice made before.
    package func start(from entries: (UInt16, UInt16), signs: UInt8) {
        (self.entries, self.signs) = (entries, signs)
        setLevels(0)
        if grid.codebook.dimensions == 4 { setLevels(1) }
    }

    /// Chooses.
    ///
    /// - Parameters:
    ///   - metric: (8, 8), symmetric, what errors count together.
    ///   - y: metric · x.
    ///   - scale: positive.
    ///   - range: the entries to choose from.
    package func improve(
        metric: UnsafePointer<Float>, product y: UnsafePointer<Float>, scale: Float,
        range: Range<Int>
    ) {
        for _ in 0..<3 {
            if grid.codebook.dimensions == 8 {
                search(0, metric, y, scale, range)
            } else {
                search(0, metric, y, scale, range)
                search(1, metric, y, scale, range)
                search(0, metric, y, scale, range)
            }
            guard grid.signs != .none, changeSigns(metric, y, scale) else { return }
        }
    }

    /// Searches the vector number `part` for the signs and the other vector as they are.
    private func search(
        _ part: Int, _ metric: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ scale: Float,
        _ range: Range<Int>
    ) {
        let (width, dimensions) = (Self.width, grid.codebook.dimensions)
        let first = part * dimensions
        for i in 0..<dimensions {
            let row = metric + (first + i) * width
            let scaled = sign(first + i) * scale
            var right = y[first + i]
            for other in 0..<width where other < first || other >= first + dimensions {
                right -= row[other] * (scale * levels[other])
            }
            linear[i] = 2 * scaled * right
            form[i * dimensions + i] = scale * scale * row[first + i]
            for j in i + 1..<max(dimensions, i + 1) {
                form[i * dimensions + j] = 2 * scaled * (sign(first + j) * scale) * row[first + j]
            }
        }
        let found = grid.codebook.least(in: range, form: form.start, linear: linear.start)
        if part == 0 {
            entries.0 = UInt16(truncatingIfNeeded: found.entry)
        } else {
            entries.1 = UInt16(truncatingIfNeeded: found.entry)
        }
        setLevels(part)
    }

    @inline(__always)
    private func sign(_ i: Int) -> Float { signs >> UInt8(i) & 1 == 1 ? -1 : 1 }

    private func setLevels(_ part: Int) {
        let dimensions = grid.codebook.dimensions
        let entry = Int(part == 0 ? entries.0 : entries.1) * dimensions
        for i in 0..<dimensions {
            let place = part * dimensions + i
            levels[place] = sign(place) * grid.codebook.entries[entry + i]
        }
    }

    /// Changes the signs whose change helps most, one after the other, or two at a time where their
    /// number must stay even.
    private func changeSigns(
        _ metric: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ scale: Float
    ) -> Bool {
        let width = Self.width
        // metric · (x − q), and what changing each sign costs by itself.
        for i in 0..<width {
            var slope = y[i]
            for j in 0..<width { slope -= metric[i * width + j] * (scale * levels[j]) }
            slopes[i] = slope
        }
        var hasChanged = false
        for _ in 0..<width {
            var best: (change: Float, first: Int, second: Int) = (0, -1, -1)
            for i in 0..<width {
                let q = scale * levels[i]
                gains[i] = 4 * q * (q * metric[i * width + i] + slopes[i])
                if grid.signs == .free, gains[i] < best.change { best = (gains[i], i, -1) }
            }
            if grid.signs == .even {
                for i in 0..<width {
                    for j in 0..<i {
                        let product = scale * levels[i] * (scale * levels[j])
                        let change = gains[i] + gains[j] + 8 * product * metric[i * width + j]
                        if change < best.change { best = (change, i, j) }
                    }
                }
            }
            guard best.first >= 0 else { break }
            hasChanged = true
            for place in [best.first, best.second] where place >= 0 {
                signs ^= 1 << UInt8(place)
                let move = 2 * scale * levels[place]
                for i in 0..<width { slopes[i] += metric[i * width + place] * move }
                levels[place] = -levels[place]
            }
        }
        return hasChanged
    }
}

extension CodebookChoice {
    /// Starts from what a super-block holds of the eight weights at `column`.
    package func load(_ column: Int, of block: CodebookBlock) {
        let place = column % CodebookGrid.weightsPerBlock
        let vector = place / grid.codebook.dimensions
        let isPair = grid.codebook.dimensions == 4
        start(
            from: (block.entries[vector], isPair ? block.entries[vector + 1] : 0),
            signs: block.signs[place / CodebookGrid.groupSize])
    }

    /// Puts the choice into a super-block, as its eight weights at `column`.
    package func store(_ column: Int, in block: inout CodebookBlock) {
        let place = column % CodebookGrid.weightsPerBlock
        let vector = place / grid.codebook.dimensions
        block.entries[vector] = entries.0
        if grid.codebook.dimensions == 4 { block.entries[vector + 1] = entries.1 }
        block.signs[place / CodebookGrid.groupSize] = signs
    }
}
