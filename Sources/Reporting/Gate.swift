import ByteIO
import Evaluation

/// A bound that a figure must keep.
///
/// A figure that was measured on a sample fails its gate only when all of its 95 % interval lies on the
/// wrong side of the bound: a model that keeps the bound exactly then fails one time in forty, and one that
/// is better less often. The price is that a small loss passes on a small text; more windows make the
/// interval narrower, and the report shows it.
public struct Gate: Sendable, Hashable {
    public enum Direction: String, Sendable, Hashable {
        case atMost = "at most"
        case atLeast = "at least"
    }

    /// The option that set the bound, without dashes: `max-kld`.
    public let name: String
    /// As the table calls it: `mean KL divergence`.
    public let figure: String
    public let value: Double
    /// Where the figure lies with 95 % confidence; nil for what is exact.
    public let interval: ConfidenceInterval?
    public let direction: Direction
    public let bound: Double
    /// Digits after the point when it is printed.
    public let decimals: Int

    public init(
        _ name: String, _ figure: String, _ value: Double, _ interval: ConfidenceInterval?,
        _ direction: Direction, _ bound: Double, decimals: Int = 6
    ) {
        (self.name, self.figure, self.value, self.interval) = (name, figure, value, interval)
        (self.direction, self.bound, self.decimals) = (direction, bound, decimals)
    }

    /// What is not a number passes no gate.
    public var isPassed: Bool {
        guard value.isFinite else { return false }
        return switch direction {
        case .atMost: (interval?.lower ?? value) <= bound
        case .atLeast: (interval?.upper ?? value) >= bound
        }
    }

    /// Whether it passes although the figure itself does not keep the bound: the text is too short to tell.
    public var isWithinError: Bool {
        isPassed && !(direction == .atMost ? value <= bound : value >= bound)
    }

    public var json: JSON {
        [
            "gate": .string(name), "figure": .string(figure), "value": .number(value),
            "interval95": .interval(interval), "must_be": .string(direction.rawValue),
            "bound": .number(bound), "passed": .bool(isPassed),
        ]
    }
}

extension Gate: CustomStringConvertible {
    /// `mean KL divergence is 0.093100 (95 %: 0.090000 to 0.096000), must be at most 0.085000`.
    public var description: String {
        let spell = { NumberFormatting.fixed($0, decimals: decimals) }
        let range = interval.map { " (95 %: \(spell($0.lower)) to \(spell($0.upper)))" } ?? ""
        return "\(figure) is \(spell(value))\(range), must be \(direction.rawValue) \(spell(bound))"
            + (isWithinError ? "; too few windows to tell" : "")
    }
}
