import Architectures

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// What ALiBi adds to the scores of each head (Press et al. 2022, section 3).
struct DistancePenalty: Sendable {
    /// One for each head, negative distance times which is added.
    private let slopes: [Float]
    private let isRounded: Bool
    /// What roundings are multiplied by before they are added.
    private let scale: Float

    /// - Parameters:
    ///   - bias: which of the variants.
    ///   - headCount: heads of queries.
    ///   - scale: what the layer's scores are scaled by.
    init(_ bias: DecoderDescription.LinearBias, headCount: Int, scale: Float) {
        slopes = DistancePenalty.slopes(maximum: Double(bias.maximum), headCount: headCount)
        isRounded = bias.isRounded
        self.scale = bias.isScaled ? scale : 1
    }

    /// A geometric series that ends at 2^−maximum. Where the heads are no power of two, the rest take
    /// every second slope of the series for twice as many.
    static func slopes(maximum: Double, headCount: Int) -> [Float] {
        var count = 1
        while count <= headCount / 2 { count *= 2 }
        return (0..<headCount).map { head in
            let step = head < count ? Double(head + 1) : Double(head - count) + 0.5
            return Float(exp2(-maximum * step / Double(count)))
        }
    }

    /// Lowers one query's scores, `scores[i]` being that of position `first` + i.
    func apply(
        to scores: UnsafeMutableBufferPointer<Float>, first: Int, query: Int, head: Int
    ) {
        guard isRounded else {
            let slope = slopes[head] * scale
            for index in scores.indices { scores[index] += slope * Float(first + index - query) }
            return
        }
        // Models that were trained with roundings have the position in place of the distance: what a
        // query's keys differ by is the same but for those roundings.
        let slope = slopes[head].roundedToBFloat16
        for index in scores.indices {
            let position = Float(first + index).roundedToBFloat16
            scores[index] += scale * (slope * position).roundedToBFloat16
        }
    }
}

extension Float {
    /// The nearest number of eight significant bits, of two equally near ones the even.
    fileprivate var roundedToBFloat16: Float {
        let bits = bitPattern
        return Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000)
    }
}
