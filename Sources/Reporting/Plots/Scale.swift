#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Where values lie along an axis, and which of them are named there.
struct Scale: Sendable, Hashable {
    /// A value with a name on the axis.
    struct Tick: Sendable, Hashable {
        let value: Double
        let label: String
    }

    /// The values at the axis's ends.
    let lower, upper: Double
    let isLogarithmic: Bool
    let ticks: [Tick]
    /// Where the ends are drawn; of a vertical axis the first is the larger.
    let start, end: Double

    /// An axis of equal steps.
    ///
    /// - Parameters:
    ///   - values: at least one.
    ///   - start: where the axis begins.
    ///   - end: where it ends; less than `start` for one that grows upwards.
    ///   - tickCount: ticks at most, at least 2.
    ///   - startsAtZero: whether the axis begins at zero, however far from it the values are.
    ///   - countsThings: whether there is nothing between 1 and 2; the axis then ends where the values do.
    /// - Returns: an axis from a tick to a tick, with all values between.
    static func linear(
        _ values: [Double], from start: Double, to end: Double, tickCount: Int = 6,
        startsAtZero: Bool = false, countsThings: Bool = false
    ) -> Scale {
        let (smallest, most) = extremes(values)
        let low = startsAtZero ? min(0, smallest) : smallest
        let high = most > low ? most : low + max(1, abs(low) * 0.1)
        let least = countsThings ? 1 : Double.leastNormalMagnitude
        let step = niceStep(atLeast: max(least, (high - low) / Double(max(1, tickCount - 1))))
        if countsThings {
            let numbers = stride(from: (low / step).rounded(.up) * step, through: high, by: step)
            return Scale(
                lower: low, upper: high, isLogarithmic: false,
                ticks: numbers.map { Tick(value: $0, label: label($0, step: step)) },
                start: start, end: end)
        }
        var (first, last) = ((low / step).rounded(.down), (high / step).rounded(.up))
        if last <= first { (first, last) = (first - 1, first + 1) }
        let ticks = stride(from: first, through: last, by: 1).map { index in
            Tick(value: index * step, label: label(index * step, step: step))
        }
        return Scale(
            lower: first * step, upper: last * step, isLogarithmic: false, ticks: ticks,
            start: start, end: end)
    }

    /// An axis of equal ratios.
    ///
    /// - Parameters:
    ///   - values: at least one, all above zero.
    ///   - start: where the axis begins.
    ///   - end: where it ends; less than `start` for one that grows upwards.
    /// - Returns: an axis from a tick to a tick, with all values between: powers of ten where there are
    ///   two or more, otherwise also twice and five times these.
    static func logarithmic(_ values: [Double], from start: Double, to end: Double) -> Scale {
        let (least, most) = extremes(values)
        let (low, high) = (log10(least).rounded(.down), log10(most).rounded(.up))
        var numbers: [Double]
        if high - low > 2 {
            let skip = ((high - low) / 7).rounded(.up)
            numbers = stride(from: low, through: high + skip - 1, by: skip).map { pow(10, $0) }
        } else {
            let fine = stride(from: low, through: high, by: 1).flatMap { power in
                [1.0, 2, 5].map { $0 * pow(10, power) }
            }
            // From the last tick that is not above all values to the first that is not below.
            let first = fine.lastIndex { $0 <= least * (1 + 1e-9) } ?? 0
            let last = fine.firstIndex { $0 >= most * (1 - 1e-9) } ?? fine.count - 1
            let from = min(first, fine.count - 2)
            numbers = Array(fine[from...max(last, from + 1)])
        }
        if numbers.count < 2 { numbers = [numbers.first ?? 1, (numbers.first ?? 1) * 10] }
        return Scale(
            lower: numbers[0], upper: numbers[numbers.count - 1], isLogarithmic: true,
            ticks: numbers.map { Tick(value: $0, label: logarithmicLabel($0)) },
            start: start, end: end)
    }

    /// Where a value is drawn; what lies beyond the ends is drawn there.
    func position(_ value: Double) -> Double {
        let share =
            isLogarithmic
            ? log10(max(value, lower) / lower) / log10(upper / lower)
            : (value - lower) / (upper - lower)
        return start + (end - start) * max(0, min(1, share))
    }

    private static func extremes(_ values: [Double]) -> (Double, Double) {
        precondition(!values.isEmpty)
        return (values.min() ?? 0, values.max() ?? 1)
    }

    /// 1, 2 or 5 times a power of ten.
    private static func niceStep(atLeast step: Double) -> Double {
        let power = pow(10, log10(step).rounded(.down))
        return ([1, 2, 5].first { $0 * power >= step * (1 - 1e-9) } ?? 10) * power
    }

    private static func label(_ value: Double, step: Double) -> String {
        let decimals = max(0, min(9, -Int(log10(step * 1.001).rounded(.down))))
        let text = NumberFormatting.fixed(value, decimals: decimals)
        return decimals == 0 && abs(value) < 1e15 ? NumberFormatting.grouped(Int(value)) : text
    }

    private static func logarithmicLabel(_ value: Double) -> String {
        if value >= 0.0009, value < 10_000 {
            let decimals = max(0, -Int((log10(value) + 1e-9).rounded(.down)))
            return NumberFormatting.fixed(value, decimals: decimals)
        }
        return NumberFormatting.scientific(value, digits: 1)
    }
}
