/// The tokens of words met before. Text repeats itself: nine words of ten are in here.
///
/// A short word of few tokens, as nearly all are, lies whole in one slot of 32 bytes, in one of two
/// places; a newer word pushes an older one out. Longer words have a table of their own.
struct WordCache {
    private struct Slot {
        var low: UInt64 = 0
        var high: UInt64 = 0
        /// Nought where the slot is empty.
        var length: UInt16 = 0
        var count: UInt16 = 0
        var first: Int32 = 0
        var second: Int32 = 0
        var third: Int32 = 0
    }

    private static let longestShortWord = 16
    private static let mostTokens = 3
    private static let maximumSlotCount = 1 << 16

    /// Empty before the first word, so that a cache costs nothing until it is used.
    private var slots: [Slot] = []
    private var count = 0
    private var longWords = LongWordCache()

    /// Appends the tokens of a word, or returns false where it has not been met.
    func append(_ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) -> Bool {
        guard word.count <= WordCache.longestShortWord else {
            return longWords.append(word, to: &ids)
        }
        guard !slots.isEmpty else { return false }
        let key = WordCache.key(word)
        let place = place(key, word.count)
        var slot = slots[place]
        if slot.low != key.low || slot.high != key.high || slot.length != word.count {
            slot = slots[place ^ 1]
            guard slot.low == key.low, slot.high == key.high, slot.length == word.count else {
                return false
            }
        }
        // A word that fell into more tokens than a slot holds.
        guard slot.count <= WordCache.mostTokens else { return longWords.append(word, to: &ids) }
        if slot.count > 0 { ids.append(slot.first) }
        if slot.count > 1 { ids.append(slot.second) }
        if slot.count > 2 { ids.append(slot.third) }
        return true
    }

    /// - Precondition: the word is not empty.
    mutating func store(_ word: UnsafeBufferPointer<UInt8>, _ ids: ArraySlice<Int32>) {
        guard word.count <= WordCache.longestShortWord else { return longWords.store(word, ids) }
        if ids.count > WordCache.mostTokens { longWords.store(word, ids) }
        if count * 2 >= slots.count, slots.count < WordCache.maximumSlotCount { grow() }
        let key = WordCache.key(word)
        var slot = Slot(low: key.low, high: key.high)
        slot.length = UInt16(truncatingIfNeeded: word.count)
        slot.count = UInt16(min(ids.count, WordCache.mostTokens + 1))
        if ids.count > 0 { slot.first = ids[ids.startIndex] }
        if ids.count > 1 { slot.second = ids[ids.startIndex + 1] }
        if ids.count > 2 { slot.third = ids[ids.startIndex + 2] }
        insert(slot)
    }

    private mutating func insert(_ slot: Slot) {
        let place = place((slot.low, slot.high), Int(slot.length))
        if slots[place].length > 0 {
            if slots[place ^ 1].length == 0 { count += 1 }
            slots[place ^ 1] = slots[place]
        } else {
            count += 1
        }
        slots[place] = slot
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(), count: max(old.count * 4, 1 << 8))
        count = 0
        for slot in old where slot.length > 0 { insert(slot) }
    }

    private func place(_ key: (low: UInt64, high: UInt64), _ length: Int) -> Int {
        var mixed = key.low ^ key.high &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(truncatingIfNeeded: length)
        mixed = (mixed ^ mixed >> 29) &* 0xBF58_476D_1CE4_E5B9
        return Int(truncatingIfNeeded: mixed >> 40) & (slots.count - 1)
    }

    /// The bytes of a word of at most 16, which with its length say which word it is.
    ///
    /// From four bytes on the two ends are loaded whole; in the middle they overlap.
    private static func key(_ word: UnsafeBufferPointer<UInt8>) -> (low: UInt64, high: UInt64) {
        let bytes = UnsafeRawBufferPointer(word)
        let count = bytes.count
        if count >= 8 {
            return (
                bytes.loadUnaligned(as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
            )
        }
        if count >= 4 {
            let start = bytes.loadUnaligned(as: UInt32.self)
            let end = bytes.loadUnaligned(fromByteOffset: count - 4, as: UInt32.self)
            return (UInt64(start) | UInt64(end) << 32, 0)
        }
        guard count > 0 else { return (0, 0) }
        return (
            UInt64(bytes[0]) | UInt64(bytes[count / 2]) << 8 | UInt64(bytes[count - 1]) << 16, 0
        )
    }
}

/// Words of any length with any number of tokens.
private struct LongWordCache {
    /// Longer words seldom come back.
    private static let longestWord = 64
    private static let maximumCount = 1 << 15

    private var places: ByteTable?
    /// For each word the number of its tokens, then these.
    private var tokens: [Int32] = []

    func append(_ word: UnsafeBufferPointer<UInt8>, to ids: inout [Int32]) -> Bool {
        guard word.count <= LongWordCache.longestWord, let place = places?[word] else {
            return false
        }
        let start = Int(place) + 1
        ids.append(contentsOf: tokens[start..<start + Int(tokens[Int(place)])])
        return true
    }

    mutating func store(_ word: UnsafeBufferPointer<UInt8>, _ ids: ArraySlice<Int32>) {
        guard word.count <= LongWordCache.longestWord else { return }
        // Starting over costs little and keeps the memory bounded.
        if places?.count ?? 0 >= LongWordCache.maximumCount {
            places = ByteTable(minimumCapacity: LongWordCache.maximumCount)
            tokens.removeAll(keepingCapacity: true)
        }
        if places == nil { places = ByteTable(minimumCapacity: 1 << 6) }
        places?.insert(word, Int32(tokens.count))
        tokens.append(Int32(ids.count))
        tokens.append(contentsOf: ids)
    }
}
