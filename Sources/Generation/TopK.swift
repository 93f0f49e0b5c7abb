/// Keeps the `count` most likely tokens (Fan et al. 2018, section 5.4), and those that are as likely as
/// the last of them.
struct TopK: Sendable {
    let count: Int

    func apply(to candidates: inout Candidates) {
        guard count < candidates.count else { return }
        let logits = candidates.logits
        let least = TopK.largest(count, of: logits)
        candidates.filter { logits[$0] >= least }
    }

    /// The `rank`-th largest number, counted from 1 (Hoare's selection).
    ///
    /// - Precondition: there are so many, and none is NaN.
    static func largest(_ rank: Int, of numbers: [Float]) -> Float {
        precondition((1...numbers.count).contains(rank))
        var numbers = numbers
        var range = 0..<numbers.count
        let target = rank - 1
        while range.count > 1 {
            let pivot = numbers[range.lowerBound + range.count / 2]
            var (low, high) = (range.lowerBound, range.upperBound - 1)
            while low <= high {
                while numbers[low] > pivot { low += 1 }
                while numbers[high] < pivot { high -= 1 }
                if low <= high {
                    numbers.swapAt(low, high)
                    low += 1
                    high -= 1
                }
            }
            // Now [lower, high] ≥ pivot ≥ [low, upper); what lies between them is the pivot.
            if target <= high {
                range = range.lowerBound..<high + 1
            } else if target >= low {
                range = low..<range.upperBound
            } else {
                return pivot
            }
        }
        return numbers[target]
    }
}
