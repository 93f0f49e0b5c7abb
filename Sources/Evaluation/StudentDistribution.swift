#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Student's t, for intervals from few blocks: with ten windows the normal distribution's 1.96 would be 2.26.
package enum StudentDistribution {
    /// Beyond so many degrees of freedom the quantile is that of this many, which is larger by less than a
    /// thousandth.
    private static let manyDegrees = 1000

    /// The t that a share of the distribution lies below.
    ///
    /// - Parameters:
    ///   - share: at least 0.5 and below 1.
    ///   - degreesOfFreedom: at least 1.
    /// - Returns: to about ten digits; 0 for a share of a half.
    package static func quantile(_ share: Double, degreesOfFreedom: Int) -> Double {
        precondition(share >= 0.5 && share < 1 && degreesOfFreedom >= 1)
        let degrees = min(degreesOfFreedom, manyDegrees)
        // The share within ±t grows with the angle atan(t / √degrees), from 0 to a right angle.
        var (low, high) = (0.0, Double.pi / 2)
        for _ in 0..<64 {
            let middle = (low + high) / 2
            if central(middle, degrees) < 2 * share - 1 { low = middle } else { high = middle }
        }
        return tan(low) * Double(degrees).squareRoot()
    }

    /// The share within ±t for t = tan(angle) · √degrees (Abramowitz and Stegun, 26.7.3 and 26.7.4).
    private static func central(_ angle: Double, _ degrees: Int) -> Double {
        let square = cos(angle) * cos(angle)
        let isOdd = !degrees.isMultiple(of: 2)
        guard degrees > 1 else { return 2 * angle / .pi }
        // Σ of products: cos · (1 + 2/3 cos² + 2·4/(3·5) cos⁴ …), or 1 + 1/2 cos² + 1·3/(2·4) cos⁴ …
        var term = isOdd ? cos(angle) : 1
        var sum = term
        for factor in stride(from: isOdd ? 3 : 2, through: degrees - 2, by: 2) {
            term *= square * Double(factor - 1) / Double(factor)
            sum += term
        }
        return isOdd ? 2 / .pi * (angle + sin(angle) * sum) : sin(angle) * sum
    }
}
