import Kernels

/// What the next token is drawn from: tokens by ascending id, and their probabilities.
struct TokenDistribution: Sendable, Hashable {
    let ids: [Int32]
    /// By place; they need not sum to exactly 1.
    let probabilities: [Float]

    init(ids: [Int32], probabilities: [Float]) {
        precondition(ids.count == probabilities.count)
        (self.ids, self.probabilities) = (ids, probabilities)
    }

    /// One token that is certain.
    init(certain id: Int32) { self.init(ids: [id], probabilities: [1]) }

    subscript(id: Int32) -> Float {
        var range = 0..<ids.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if ids[middle] == id { return probabilities[middle] }
            range = ids[middle] < id ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return 0
    }

    /// Draws a token. A distribution of one token takes no random number.
    /// - Precondition: some probability is positive.
    func draw(_ generator: inout SplitMix64) -> Int32 {
        guard ids.count > 1 else { return ids[0] }
        let total = probabilities.reduce(0.0) { $0 + Double($1) }
        let target = generator.uniform() * total
        var sum = 0.0
        for (id, probability) in zip(ids, probabilities) {
            sum += Double(probability)
            if target < sum { return id }
        }
        // `target` is below `total`, which is the last `sum`.
        preconditionFailure("a distribution without probability")
    }

    /// max(0, self − other), which is what a rejected draft leaves (Leviathan et al. 2023, section 2.3);
    /// nil where nothing is left.
    func excess(over other: TokenDistribution) -> TokenDistribution? {
        var (ids, rest): ([Int32], [Float]) = ([], [])
        for (id, probability) in zip(self.ids, probabilities) {
            let excess = probability - other[id]
            if excess > 0 {
                ids.append(id)
                rest.append(excess)
            }
        }
        return ids.isEmpty ? nil : TokenDistribution(ids: ids, probabilities: rest)
    }
}
