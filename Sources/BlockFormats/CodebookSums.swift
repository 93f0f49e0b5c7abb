import CKernels

/// Searches over all vectors of a codebook, in C; `CodebookReference` is their definition.
extension Codebook {
    typealias Floats = UnsafeMutablePointer<Float>

    /// squares[e] = Σ weights[i]·v[i]² for each entry v.
    func squares(weights: UnsafePointer<Float>, into squares: Floats) {
        columns.withUnsafeBufferPointer { columns in
            detent_codebook_squares(
                columns.baseAddress, count, count, dimensions, weights, squares)
        }
    }

    /// products[e] = Σ targets[i]·v[i], and where asked for, that less 2·min targets[i]·v[i]: the
    /// same with the sign changed that matters least.
    func products(targets: UnsafePointer<Float>, into products: Floats, flipped: Floats?) {
        columns.withUnsafeBufferPointer { columns in
            detent_codebook_products(
                columns.baseAddress, count, count, dimensions, targets, products, flipped)
        }
    }

    /// The entry with the least scale·squares − 2·products, the first of equals; 0 where all are
    /// NaN.
    @inline(__always)
    static func nearest(
        squares: UnsafePointer<Float>, products: UnsafePointer<Float>, count: Int, scale: Float
    ) -> Int {
        var cost: Float = 0
        return detent_codebook_nearest(squares, products, count, scale, &cost)
    }

    /// The entry v of a range with the least Σ v[i]·(Σ form[i, j]·v[j] − linear[i]) over i and j ≥ i,
    /// the first of equals.
    ///
    /// - Parameters:
    ///   - range: of entries; its ends are multiples of 32.
    ///   - form: (dimensions, dimensions), read on and above the diagonal.
    ///   - linear: (dimensions).
    /// - Returns: the entry, and what it comes to.
    package func least(
        in range: Range<Int>, form: UnsafePointer<Float>, linear: UnsafePointer<Float>
    ) -> (entry: Int, cost: Float) {
        columns.withUnsafeBufferPointer { columns in
            var cost: Float = 0
            guard let start = columns.baseAddress else { return (0, cost) }
            let entry = detent_codebook_least(
                start + range.lowerBound, count, range.count, dimensions, form, linear, &cost)
            return (range.lowerBound + entry, cost)
        }
    }
}

/// The definition of the searches in `CKernels`, to the bit.
enum CodebookReference {
    static func squares(_ codebook: Codebook, weights: [Float]) -> [Float] {
        (0..<codebook.count).map { entry in
            weights.indices.reduce(0) { sum, i in
                let v = codebook.columns[i * codebook.count + entry]
                return sum + weights[i] * (v * v)
            }
        }
    }

    static func products(
        _ codebook: Codebook, targets: [Float]
    ) -> (products: [Float], flipped: [Float]) {
        let terms = (0..<codebook.count).map { entry in
            targets.indices.map { targets[$0] * codebook.columns[$0 * codebook.count + entry] }
        }
        let products = terms.map { $0.reduce(0, +) }
        let flipped = zip(products, terms).map { $0 - 2 * ($1.min() ?? 0) }
        return (products, flipped)
    }

    static func nearest(squares: [Float], products: [Float], scale: Float) -> Int {
        var best = (entry: 0, cost: Float.infinity)
        for entry in squares.indices {
            let cost = scale * squares[entry] - 2 * products[entry]
            if cost < best.cost { best = (entry, cost) }
        }
        return best.entry
    }

    static func least(
        _ codebook: Codebook, in range: Range<Int>, form: [Float], linear: [Float]
    ) -> (entry: Int, cost: Float) {
        let dimensions = codebook.dimensions
        var best = (entry: range.lowerBound, cost: Float.infinity)
        for entry in range {
            let v = (0..<dimensions).map { codebook.columns[$0 * codebook.count + entry] }
            var cost: Float = 0
            for i in 0..<dimensions {
                var slope = -linear[i]
                for j in i..<dimensions { slope += form[i * dimensions + j] * v[j] }
                cost += slope * v[i]
            }
            if cost < best.cost { best = (entry, cost) }
        }
        return best
    }
}
