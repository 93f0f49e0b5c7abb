/// Sequences of equal length that go through the decoder together.
package struct TokenBatch: Sendable {
    /// Token ids, sequence after sequence.
    package let ids: [Int32]
    /// Tokens in each sequence.
    package let sequenceLength: Int
    /// The position of each sequence's first token.
    package let startPosition: Int

    package var tokenCount: Int { ids.count }
    package var sequenceCount: Int { sequenceLength == 0 ? 0 : ids.count / sequenceLength }

    /// - Precondition: all sequences have one length, and at least one token.
    package init(_ sequences: [[Int32]], startPosition: Int = 0) {
        let length = sequences.first?.count ?? 0
        precondition(length > 0 && sequences.allSatisfy { $0.count == length })
        ids = sequences.flatMap { $0 }
        sequenceLength = length
        self.startPosition = startPosition
    }
}
