/// Keeps the fewest tokens whose probabilities reach a sum (Holtzman et al. 2020, section 3.1).
///
/// Of tokens that are equally likely, those with lower ids are taken first.
struct TopP: Sendable {
    let sum: Float

    func apply(to candidates: inout Candidates) {
        guard sum < 1, candidates.count > 1 else { return }
        let probabilities = candidates.probabilities
        // All tokens below this bound together have less than 1 - sum, so that none of them is needed.
        // They are the bulk of a vocabulary, and need not be sorted.
        let bound = (1 - sum) / Float(candidates.count)
        let order = probabilities.indices
            .filter { probabilities[$0] >= bound }
            .sorted { (probabilities[$1], $0) < (probabilities[$0], $1) }
        var isKept = [Bool](repeating: false, count: candidates.count)
        var total = 0.0
        for place in order {
            isKept[place] = true
            total += Double(probabilities[place])
            if total >= Double(sum) { break }
        }
        candidates.filter { isKept[$0] }
    }
}
