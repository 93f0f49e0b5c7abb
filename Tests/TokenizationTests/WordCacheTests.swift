import TestSupport
import Testing

@testable import Tokenization

@Suite struct WordCacheTests {
    /// A cache may forget, but what it remembers is what was stored: also for words that differ only
    /// where loads overlap, and with more words than it has room for.
    @Test(arguments: [50, 5_000, 300_000]) func remembersNothingWrong(count: Int) {
        var generator = SeededGenerator(seed: UInt64(count))
        var cache = WordCache()
        var foundCount = 0
        for step in 0..<count {
            let length = Int.random(in: 1...(step % 7 == 0 ? 70 : 18), using: &generator)
            let word = (0..<length).map { _ in UInt8.random(in: 97...98, using: &generator) }
            // The ids say which word it is.
            var hash = UInt32(truncatingIfNeeded: length)
            for byte in word { hash = hash &* 31 &+ UInt32(byte) }
            let ids = (0..<Int32(hash % 6)).map { Int32(truncatingIfNeeded: hash >> 1) &+ $0 }
            word.withUnsafeBufferPointer { word in
                var found: [Int32] = [7]
                if cache.append(word, to: &found) {
                    foundCount += 1
                    #expect(found == [7] + ids)
                } else {
                    cache.store(word, ids[...])
                }
                var again: [Int32] = []
                #expect(length > 64 || cache.append(word, to: &again) && again == ids)
            }
        }
        #expect(foundCount > count / 4 || count < 100)
    }
}
