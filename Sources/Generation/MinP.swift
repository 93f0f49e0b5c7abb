#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Keeps tokens with at least a share of the most likely one's probability (Nguyen et al. 2024).
struct MinP: Sendable {
    let share: Float

    func apply(to candidates: inout Candidates) {
        guard share > 0, let maximum = candidates.logits.max() else { return }
        // p ≥ share · p_max is logit ≥ logit_max + log(share): no probability has to be computed.
        let least = maximum + log(share)
        let logits = candidates.logits
        candidates.filter { logits[$0] >= least }
    }
}
