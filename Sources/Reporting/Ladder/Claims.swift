import Evaluation

/// What people repeat about numbers of bits, and what was measured.
struct Claim {
    /// As it is said.
    let saying: String
    /// What that is taken for, so that it can be right or wrong.
    let reading: String
    /// Bits that a type is named after.
    private let bits: ClosedRange<Int>
    private let bound: Bound

    private enum Bound {
        case below(Double)
        case above(Double)
    }

    static let all = [
        Claim(
            saying: "8 bits cost under 1 %", reading: "perplexity rises by less than 1 %",
            bits: 8...8, bound: .below(0.01)),
        Claim(
            saying: "5 to 6 bits are hard to notice", reading: "perplexity rises by less than 2 %",
            bits: 5...6, bound: .below(0.02)),
        Claim(
            saying: "4 bits are noticed", reading: "perplexity rises by more than 1 %",
            bits: 4...4, bound: .above(0.01)),
        Claim(
            saying: "2 to 3 bits hurt", reading: "perplexity rises by more than 10 %",
            bits: 1...3, bound: .above(0.1)),
    ]

    /// What a file says of the claim.
    enum Verdict: String {
        case holds
        case fails = "does not hold"
        case open = "within the error"
    }

    /// Nil for a type that the claim is not about.
    func verdict(on entry: LadderReport.Entry) -> Verdict? {
        guard entry.method != nil,
            let number = entry.type.first(where: \.isNumber)?.wholeNumberValue,
            bits.contains(number)
        else { return nil }
        let change = entry.figures.ratio - 1
        let interval = entry.figures.ratioInterval
        let (lower, upper) = (
            (interval?.lower ?? 1 + change) - 1, (interval?.upper ?? 1 + change) - 1
        )
        return switch bound {
        case .below(let limit): upper < limit ? .holds : lower > limit ? .fails : .open
        case .above(let limit): lower > limit ? .holds : upper < limit ? .fails : .open
        }
    }
}
