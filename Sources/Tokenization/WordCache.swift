/// The tokens of words met before. Text repeats itself: nine words of ten are in here.
struct WordCache {
    /// Longer words seldom come back.
    private static let longestWord = 64
    private static let maximumCount = 1 << 16

    private var places = ByteTable(minimumCapacity: 1 << 10)
    /// For each word the number of its tokens, then these.
    private var tokens: [Int32] = []

    func append(_ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) -> Bool {
        guard word.count <= WordCache.longestWord, let place = places[word] else { return false }
        let start = Int(place) + 1
        let count = Int(tokens[Int(place)])
        for index in start..<start + count { ids.append(tokens[index]) }
        return true
    }

    mutating func store(_ word: UnsafeBufferPointer<UInt8>, _ ids: ArraySlice<Int32>) {
        guard word.count <= WordCache.longestWord else { return }
        // Starting over costs little and keeps the memory bounded.
        if places.count >= WordCache.maximumCount {
            places = ByteTable(minimumCapacity: WordCache.maximumCount)
            tokens.removeAll(keepingCapacity: true)
        }
        places.insert(word, Int32(tokens.count))
        tokens.append(Int32(ids.count))
        tokens.append(contentsOf: ids)
    }
}
