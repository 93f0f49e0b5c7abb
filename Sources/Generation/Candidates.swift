import Inference
import Kernels

/// The tokens that may come next, by ascending id, with their logits.
struct Candidates: Sendable {
    private(set) var ids: [Int32]
    private(set) var logits: [Float]

    /// All tokens of a vocabulary.
    init(_ logits: UnsafeBufferPointer<Float>) {
        ids = (0..<Int32(logits.count)).map { $0 }
        self.logits = Array(logits)
    }

    init(ids: [Int32], logits: [Float]) {
        precondition(ids.count == logits.count)
        (self.ids, self.logits) = (ids, logits)
    }

    var count: Int { ids.count }

    mutating func replaceLogits(_ body: (inout [Float]) -> Void) {
        body(&logits)
        precondition(logits.count == ids.count)
    }

    /// Keeps the candidates at places for which `isKept` holds.
    mutating func filter(_ isKept: (Int) -> Bool) {
        var count = 0
        for place in ids.indices where isKept(place) {
            (ids[count], logits[count]) = (ids[place], logits[place])
            count += 1
        }
        ids.removeSubrange(count...)
        logits.removeSubrange(count...)
    }

    /// The probabilities of all candidates, by place.
    var probabilities: [Float] {
        var result = logits
        result.withUnsafeMutableBufferPointer { RowFunctions.softmax($0) }
        return result
    }
}
