/// Merges the bytes of one word into tokens: always the most urgent pair, the leftmost first.
///
/// Short words, nearly all there are, are searched afresh after each merge. Long ones keep their
/// pairs in a heap, so that a megabyte without a space takes n log n steps and not n².
struct BytePairMerger {
    private static let shortWord = 64
    private static let noRank = Int32.max
    private static let noToken: Int32 = -1

    /// The symbols of the word; after `merge` the first of them are its tokens.
    private(set) var symbols: [Int32] = []
    /// The rank of the pair that starts at each symbol.
    private var ranks: [Int32] = []

    /// Turns `symbols` into tokens.
    mutating func merge(_ word: some Sequence<Int32>, with pairs: borrowing PairTable) {
        symbols.removeAll(keepingCapacity: true)
        symbols.append(contentsOf: word)
        guard symbols.count > 1 else { return }
        if symbols.count <= BytePairMerger.shortWord {
            mergeShort(with: pairs)
        } else {
            mergeLong(with: pairs)
        }
    }

    private mutating func mergeShort(with pairs: borrowing PairTable) {
        ranks.removeAll(keepingCapacity: true)
        for place in 0..<symbols.count - 1 {
            ranks.append(pairs[symbols[place], symbols[place + 1]]?.rank ?? BytePairMerger.noRank)
        }
        ranks.append(BytePairMerger.noRank)
        while true {
            var best = 0
            for place in 1..<ranks.count where ranks[place] < ranks[best] { best = place }
            guard ranks[best] != BytePairMerger.noRank,
                let merged = pairs[symbols[best], symbols[best + 1]]
            else { return }
            symbols[best] = merged.value
            symbols.remove(at: best + 1)
            ranks.remove(at: best + 1)
            ranks[best] = rank(best, best + 1, pairs)
            if best > 0 { ranks[best - 1] = rank(best - 1, best, pairs) }
            if symbols.count == 1 { return }
        }
    }

    private func rank(_ left: Int, _ right: Int, _ pairs: borrowing PairTable) -> Int32 {
        guard right < symbols.count else { return BytePairMerger.noRank }
        return pairs[symbols[left], symbols[right]]?.rank ?? BytePairMerger.noRank
    }

    /// A merged symbol is marked by `noToken`; `next` and `previous` link those that live.
    private mutating func mergeLong(with pairs: borrowing PairTable) {
        let count = symbols.count
        var next = Array(1...count)
        var previous = Array(-1..<count - 1)
        var candidates = MinimumHeap()
        ranks = Array(repeating: BytePairMerger.noRank, count: count)
        for place in 0..<count - 1 {
            ranks[place] = rank(place, place + 1, pairs)
            if ranks[place] != BytePairMerger.noRank { candidates.push(ranks[place], place) }
        }
        while let (candidateRank, place) = candidates.pop() {
            // The pair may have changed since it was queued; then it was queued again as it is now.
            guard symbols[place] != BytePairMerger.noToken, ranks[place] == candidateRank,
                next[place] < count, let merged = pairs[symbols[place], symbols[next[place]]]
            else { continue }
            let removed = next[place]
            symbols[place] = merged.value
            symbols[removed] = BytePairMerger.noToken
            next[place] = next[removed]
            if next[place] < count { previous[next[place]] = place }
            ranks[place] = rank(place, next[place], pairs)
            if ranks[place] != BytePairMerger.noRank { candidates.push(ranks[place], place) }
            let before = previous[place]
            guard before >= 0 else { continue }
            ranks[before] = rank(before, place, pairs)
            if ranks[before] != BytePairMerger.noRank { candidates.push(ranks[before], before) }
        }
        symbols.removeAll { $0 == BytePairMerger.noToken }
    }
}

/// A binary heap of places, the lowest rank on top, and of equal ranks the leftmost place.
private struct MinimumHeap {
    private var keys: [UInt64] = []

    mutating func push(_ rank: Int32, _ place: Int) {
        // A word of 2³² bytes would wrap here and merge in another order; a text of that size is
        // refused before it is cut.
        keys.append(
            UInt64(UInt32(bitPattern: rank)) << 32 | UInt64(UInt32(truncatingIfNeeded: place)))
        var child = keys.count - 1
        while child > 0, keys[child] < keys[(child - 1) / 2] {
            keys.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func pop() -> (rank: Int32, place: Int)? {
        guard let top = keys.first else { return nil }
        let last = keys.removeLast()
        if !keys.isEmpty {
            keys[0] = last
            sink()
        }
        return (Int32(bitPattern: UInt32(top >> 32)), Int(UInt32(truncatingIfNeeded: top)))
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < keys.count && keys[child] < keys[least] { least = child }
            guard least != parent else { return }
            keys.swapAt(parent, least)
            parent = least
        }
    }
}
