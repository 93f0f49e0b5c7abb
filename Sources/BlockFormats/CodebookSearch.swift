/// Chooses the unit, the scales and the vectors of a super-block.
///
/// What is minimized is Σ weight · (x − x̂)². For a vector of the codebook and a scale s that is
/// s²·a − 2·s·b plus a constant, with a = Σ weight·level² and b = Σ weight·x·level. Both are found
/// once for every entry; the best entry for any scale is then one pass over two rows of numbers,
/// and the search is exact: no entry is left out. An odd number of minus signs where only even ones
/// can be stored changes b alone: the sign that costs least is changed.
///
/// A search belongs to one thread; it owns the memory that it works in.
package final class CodebookSearch {
    let grid: CodebookGrid
    /// Scales that are tried for each run of weights with one scale.
    let candidateCount = 9
    /// Rounds of vectors and unit taking turns, at the end.
    let rounds = 3

    /// (vector, entry): the a of each entry.
    private let squares: Numbers
    /// (vector, entry): the b of each entry, with the minus signs made even where a vector has all
    /// signs of a group.
    private let products: Numbers
    /// The same with one sign more changed, for vectors that share signs; else empty.
    private let flipped: Numbers
    /// (column): what errors count, and x times that.
    private let weights: Numbers
    private let targets: Numbers
    /// The scales tried, by run, each with the sums of the vectors that are nearest to it.
    private let trials: UnsafeMutableBufferPointer<Sums>
    /// What `evaluate` chose for the vectors of a run.
    private var chosen: [UInt16]
    private var isFlipped: [Bool]
    /// Whether the signs of a group are odd in number where they must be even, by group.
    private var isOdd: [Bool]
    /// The signs of the weights themselves, by group.
    private var naturalSigns: [UInt8]
    /// The scale that suits each run by itself.
    private var favourites: [Float]

    package init(_ grid: CodebookGrid) {
        self.grid = grid
        let size = grid.vectorCount * grid.codebook.count
        (squares, products) = (Numbers(size), Numbers(size))
        flipped = Numbers(grid.signs == .even && grid.codebook.dimensions == 4 ? size : 0)
        (weights, targets) = (
            Numbers(CodebookGrid.weightsPerBlock), Numbers(CodebookGrid.weightsPerBlock)
        )
        trials = .allocate(capacity: grid.scaleCount * candidateCount)
        trials.initialize(repeating: Sums())
        chosen = [UInt16](repeating: 0, count: grid.vectorCount)
        isFlipped = [Bool](repeating: false, count: grid.vectorCount)
        isOdd = [Bool](repeating: false, count: CodebookGrid.weightsPerBlock / 8)
        naturalSigns = [UInt8](repeating: 0, count: CodebookGrid.weightsPerBlock / 8)
        favourites = [Float](repeating: 0, count: grid.scaleCount)
    }

    deinit { trials.deallocate() }

    private var entryCount: Int { grid.codebook.count }
    private var dimensions: Int { grid.codebook.dimensions }
    private var vectorsPerScale: Int { grid.weightsPerScale / dimensions }

    /// Sets what errors in each column count, for the super-blocks fitted from now on.
    ///
    /// Weights are not negative. Without any, all count alike; where one is zero, it counts next to
    /// nothing, so that its levels are determined.
    package func setWeights(_ importance: some Collection<Float>) {
        precondition(importance.count == CodebookGrid.weightsPerBlock)
        let sum = importance.reduce(0, +)
        let isUsable = sum > 0 && sum.isFinite
        let factor = isUsable ? Float(importance.count) / sum : 0
        for (column, value) in importance.enumerated() {
            weights[column] = isUsable ? max(value * factor, 1e-6) : 1
        }
        for vector in 0..<grid.vectorCount {
            grid.codebook.squares(
                weights: weights.start + vector * dimensions,
                into: squares.start + vector * entryCount)
        }
    }
}

/// a and b of some vectors together.
struct Sums {
    var a: Float = 0
    var b: Float = 0

    /// The error, up to a constant, at a scale.
    @inline(__always)
    func cost(_ scale: Float) -> Float { scale * (scale * a - 2 * b) }

    @inline(__always)
    mutating func add(_ other: Sums) {
        a += other.a
        b += other.b
    }
}

/// Memory for floats.
final class Numbers {
    let start: UnsafeMutablePointer<Float>

    init(_ count: Int) {
        start = .allocate(capacity: max(count, 1))
        start.initialize(repeating: 0, count: max(count, 1))
    }

    deinit { start.deallocate() }

    subscript(index: Int) -> Float {
        @inline(__always) get { start[index] }
        @inline(__always) set { start[index] = newValue }
    }
}

extension CodebookSearch {
    /// Fits one super-block.
    ///
    /// - Parameters:
    ///   - x: 256 weights. Where one is not finite, and where all are zero or too small for any
    ///     unit, the block becomes zeros.
    ///   - block: receives the result.
    package func fit(_ x: UnsafePointer<Float>, into block: inout CodebookBlock) {
        block = CodebookBlock(grid)
        var peak: Float = 0
        for column in 0..<CodebookGrid.weightsPerBlock {
            // A NaN is not less than anything, and stays.
            peak = x[column].magnitude < peak ? peak : x[column].magnitude
        }
        guard peak.isFinite, peak > 0x1p-40 else { return }
        // Powers of two change no result, and keep the sums away from the ends of the range.
        let normalization = Float(sign: .plus, exponent: -peak.exponent, significand: 1)
        load(x, normalization: normalization)
        block.signs = naturalSigns
        for run in 0..<grid.scaleCount { tryScales(run, x, normalization: normalization) }

        block.unit = bestUnit(normalization)
        for run in 0..<grid.scaleCount {
            block.scaleCodes[run] = likelyCode(run, unit: block.unit * normalization)
        }
        settle(&block, normalization: normalization)
    }

    /// Turns a unit and scale codes that are about right into a block: vectors for the scales, a unit
    /// for the vectors, and again.
    private func settle(_ block: inout CodebookBlock, normalization: Float) {
        var trial = block
        var least = Float.infinity
        for round in 0..<rounds {
            let unit = trial.unit * normalization
            guard unit > 0 else { break }
            var cost: Float = 0
            var sums = Sums()
            for run in 0..<grid.scaleCount {
                let part = choose(run, unit: unit, movingCode: round == 0, in: &trial)
                let multiplier = grid.multiplier(trial.scaleCodes[run])
                cost += part.cost(unit * multiplier)
                sums.a += multiplier * multiplier * part.a
                sums.b += multiplier * part.b
            }
            if cost < least {
                least = cost
                block = trial
            }
            let refitted =
                sums.a > 0 ? grid.representable(unit: sums.b / sums.a / normalization) : 0
            if refitted == trial.unit { break }
            trial.unit = refitted
        }
        if least == .infinity { block = CodebookBlock(grid) }
    }

    /// Fills in what depends on the weights, but on no scale.
    private func load(
        _ x: UnsafePointer<Float>, normalization: Float
    ) {
        let hasSigns = grid.signs != .none
        for group in naturalSigns.indices {
            var bits: UInt8 = 0
            for i in 0..<8 {
                let column = 8 * group + i
                let value = x[column] * normalization
                targets[column] = weights[column] * (hasSigns ? value.magnitude : value)
                if value < 0 { bits |= 1 << UInt8(i) }
            }
            naturalSigns[group] = hasSigns ? bits : 0
            isOdd[group] = grid.signs == .even && bits.nonzeroBitCount % 2 == 1
        }
        let isWhole = dimensions == 8
        for vector in 0..<grid.vectorCount {
            let place = vector * entryCount
            let isOdd = isOdd[vector * dimensions / 8]
            let other = isWhole ? products : flipped
            grid.codebook.products(
                targets: targets.start + vector * dimensions, into: products.start + place,
                flipped: isOdd ? other.start + place : nil)
        }
    }

    /// Tries scales for the weights of a run.
    private func tryScales(_ run: Int, _ x: UnsafePointer<Float>, normalization: Float) {
        // Not below a thousandth of the largest weight there can be: zeros have no scale.
        var peak: Float = 1e-3
        for column in run * grid.weightsPerScale..<(run + 1) * grid.weightsPerScale {
            peak = max(peak, x[column].magnitude * normalization)
        }
        var scale = peak / grid.codebook.highestLevel / 0.75
        let ratio: Float = 1.14
        for candidate in 0..<candidateCount {
            trials[run * candidateCount + candidate] = evaluate(run, scale: scale)
            scale /= ratio
        }
        favourites[run] = favourite(run)
    }

    /// The unit under which the vectors tried so far fit best.
    private func bestUnit(_ normalization: Float) -> Float {
        let largest = favourites.max() ?? 0
        var best = (cost: Float.infinity, unit: Float(0))
        // Which multiple of the unit the largest scale is to be.
        let highest = 2 * grid.scaleCodeCount - 1
        for multiple in highest / 4...highest + highest / 4 {
            let unit = grid.representable(
                unit: largest / (grid.step * Float(multiple)) / normalization)
            guard unit > 0 else { continue }
            var cost: Float = 0
            for run in 0..<grid.scaleCount { cost += self.cost(run, unit: unit * normalization) }
            if cost < best.cost { best = (cost, unit) }
        }
        return best.unit
    }

    /// The scale of a run by itself.
    private func favourite(_ run: Int) -> Float {
        var best = (gain: Float(0), scale: Float(0))
        for candidate in 0..<candidateCount {
            let sums = trials[run * candidateCount + candidate]
            guard sums.a > 0, sums.b > 0 else { continue }
            let gain = sums.b * sums.b / sums.a
            if gain > best.gain { best = (gain, sums.b / sums.a) }
        }
        return best.scale
    }

    private func code(nearestTo scale: Float, unit: Float) -> Int {
        let code = (scale / (unit * grid.step) - 1) / 2
        // Compared as floats: the quotient may be anything.
        return code < 0
            ? 0 : code < Float(grid.scaleCodeCount - 1) ? Int(code + 0.5) : grid.scaleCodeCount - 1
    }

    private func likelyCode(_ run: Int, unit: Float) -> UInt8 {
        guard unit > 0 else { return 0 }
        let middle = code(nearestTo: favourites[run], unit: unit)
        var best = (cost: Float.infinity, code: middle)
        for code in max(middle - 1, 0)...min(middle + 1, grid.scaleCodeCount - 1) {
            let cost = leastCost(run, scale: unit * grid.multiplier(UInt8(code)))
            if cost < best.cost { best = (cost, code) }
        }
        return UInt8(best.code)
    }

    private func cost(_ run: Int, unit: Float) -> Float {
        let middle = code(nearestTo: favourites[run], unit: unit)
        var best = Float.infinity
        for code in max(middle - 1, 0)...min(middle + 1, grid.scaleCodeCount - 1) {
            best = min(best, leastCost(run, scale: unit * grid.multiplier(UInt8(code))))
        }
        return best
    }

    /// What a scale costs with the best of the choices of vectors tried so far.
    private func leastCost(_ run: Int, scale: Float) -> Float {
        var least = Float.infinity
        for candidate in run * candidateCount..<(run + 1) * candidateCount {
            let cost = trials[candidate].cost(scale)
            least = cost < least ? cost : least
        }
        return least
    }
}

extension CodebookSearch {
    /// The best vectors of a run at a scale, as `chosen`, and their sums.
    private func evaluate(_ run: Int, scale: Float) -> Sums {
        let vectors = run * vectorsPerScale..<(run + 1) * vectorsPerScale
        guard grid.sharesShift else {
            return evaluate(vectors, entries: 0..<entryCount, scale: scale)
        }
        let half = entryCount / 2
        let up = evaluate(vectors, entries: 0..<half, scale: scale)
        let kept = Array(chosen[vectors])
        let down = evaluate(vectors, entries: half..<entryCount, scale: scale)
        if down.cost(scale) < up.cost(scale) { return down }
        chosen.replaceSubrange(vectors, with: kept)
        return up
    }

    private func evaluate(_ vectors: Range<Int>, entries: Range<Int>, scale: Float) -> Sums {
        var sums = Sums()
        guard grid.signs == .even, dimensions == 4 else {
            for vector in vectors { sums.add(nearest(vector, entries, scale: scale)) }
            return sums
        }
        for vector in stride(from: vectors.lowerBound, to: vectors.upperBound, by: 2) {
            let (first, second) = (vector, vector + 1)
            guard isOdd[vector / 2] else {
                sums.add(nearest(first, entries, scale: scale))
                sums.add(nearest(second, entries, scale: scale))
                continue
            }
            // One sign of the eight has to change, in the vector where that costs less.
            let plain = (nearest(first, entries, scale: scale), chosen[first])
            let changed = (
                nearest(first, entries, scale: scale, isFlipped: true), chosen[first]
            )
            let otherChanged = (
                nearest(second, entries, scale: scale, isFlipped: true), chosen[second]
            )
            let otherPlain = nearest(second, entries, scale: scale)
            let costs = (
                changed.0.cost(scale) + otherPlain.cost(scale),
                plain.0.cost(scale) + otherChanged.0.cost(scale)
            )
            if costs.0 < costs.1 {
                isFlipped[first] = true
                sums.add(changed.0)
                sums.add(otherPlain)
            } else {
                (chosen[first], isFlipped[first]) = (plain.1, false)
                (chosen[second], isFlipped[second]) = (otherChanged.1, true)
                sums.add(plain.0)
                sums.add(otherChanged.0)
            }
        }
        return sums
    }

    @inline(__always)
    private func nearest(
        _ vector: Int, _ entries: Range<Int>, scale: Float, isFlipped: Bool = false
    ) -> Sums {
        let place = vector * entryCount + entries.lowerBound
        let products = (isFlipped ? flipped : products).start + place
        let entry = Codebook.nearest(
            squares: squares.start + place, products: products, count: entries.count, scale: scale)
        chosen[vector] = UInt16(truncatingIfNeeded: entries.lowerBound + entry)
        self.isFlipped[vector] = isFlipped
        return Sums(a: squares[place + entry], b: products[entry])
    }

    /// Puts the best vectors for a scale into the block, and the scale's code where it may move to a
    /// neighbour.
    private func choose(
        _ run: Int, unit: Float, movingCode: Bool, in block: inout CodebookBlock
    ) -> Sums {
        var code = Int(block.scaleCodes[run])
        var sums = evaluate(run, scale: unit * grid.multiplier(UInt8(code)))
        store(run, code: code, in: &block)
        guard movingCode else { return sums }
        var least = sums.cost(unit * grid.multiplier(UInt8(code)))
        // The chosen vectors themselves would like another scale: in its direction.
        let wanted = sums.a > 0 ? sums.b / sums.a : 0
        let direction = wanted < unit * grid.multiplier(UInt8(code)) ? -1 : 1
        while (0..<grid.scaleCodeCount).contains(code + direction) {
            let scale = unit * grid.multiplier(UInt8(code + direction))
            let next = evaluate(run, scale: scale)
            guard next.cost(scale) < least else { break }
            code += direction
            (sums, least) = (next, next.cost(scale))
            store(run, code: code, in: &block)
        }
        return sums
    }

    private func store(_ run: Int, code: Int, in block: inout CodebookBlock) {
        block.scaleCodes[run] = UInt8(truncatingIfNeeded: code)
        for vector in run * vectorsPerScale..<(run + 1) * vectorsPerScale {
            block.entries[vector] = chosen[vector]
        }
        guard grid.signs == .even else { return }
        let groups = run * grid.weightsPerScale / 8..<(run + 1) * grid.weightsPerScale / 8
        for group in groups {
            var bits = naturalSigns[group]
            if isOdd[group] { bits ^= changedSign(group) }
            block.signs[group] = bits
        }
    }

    /// The sign of a group that costs least to change, given its vectors.
    private func changedSign(_ group: Int) -> UInt8 {
        var least = (term: Float.infinity, place: 0)
        for i in 0..<8 {
            let vector = (8 * group + i) / dimensions
            guard dimensions == 8 || isFlipped[vector] else { continue }
            let level = grid.codebook.entries[Int(chosen[vector]) * dimensions + i % dimensions]
            let term = targets[8 * group + i] * level
            if term < least.term { least = (term, i) }
        }
        return 1 << UInt8(least.place)
    }
}
