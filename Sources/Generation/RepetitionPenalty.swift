/// Makes tokens that are already there less likely (Keskar et al. 2019, section 4.1).
///
/// The paper divides the logits of such tokens by the penalty, which would favour tokens whose logit is
/// negative; those are multiplied instead, as everyone does since.
struct RepetitionPenalty: Sendable {
    let penalty: Float
    /// How many of the last tokens count; nil for all.
    let window: Int?

    func apply(to candidates: inout Candidates, history: some Collection<Int32>) {
        guard penalty != 1 else { return }
        let seen = Set(window.map { history.suffix($0) } ?? history.suffix(history.count))
        let ids = candidates.ids
        candidates.replaceLogits { logits in
            for (place, id) in ids.enumerated() where seen.contains(id) {
                logits[place] =
                    logits[place] < 0 ? logits[place] * penalty : logits[place] / penalty
            }
        }
    }
}
