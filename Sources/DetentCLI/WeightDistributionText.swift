import ByteIO
import Conversion
import Reporting
import TensorIR

/// How the weights of a model's tensors are distributed, for people.
struct WeightDistributionText {
    let checkpoint: Checkpoint
    let distributions: [WeightDistribution?]

    init(_ checkpoint: Checkpoint, _ distributions: [WeightDistribution?]) {
        (self.checkpoint, self.distributions) = (checkpoint, distributions)
    }

    var text: String {
        let reach = Int(WeightDistribution.reach)
        var table = TextTable(
            ("tensor", .left), ("deviation", .right), ("minimum", .right), ("maximum", .right),
            ("largest", .right), ("beyond ±\(reach)σ", .right), ("kurtosis", .right),
            ("heaviest column", .right), ("", .right),
            ("-\(reach)σ to +\(reach)σ", .left))
        for (tensor, distribution) in zip(checkpoint.tensors, distributions) {
            let name = tensor.descriptor.name.escapedForDisplay
            guard let distribution else {
                table.add(name, "–")
                continue
            }
            table.add(
                name, significant(distribution.standardDeviation),
                significant(Double(distribution.minimum)),
                significant(Double(distribution.maximum)),
                NumberFormatting.fixed(distribution.largestInDeviations, decimals: 1) + "σ",
                NumberFormatting.grouped(distribution.outlierCount),
                NumberFormatting.fixed(distribution.kurtosis, decimals: 1),
                String(distribution.heaviestColumn),
                NumberFormatting.fixed(distribution.heaviestColumnRatio, decimals: 1) + "×",
                distribution.picture)
        }
        return table.text() + footnote
    }

    private var footnote: String {
        let broken = distributions.reduce(0) { $0 + ($1?.notFiniteCount ?? 0) }
        return "σ: the tensor's standard deviation. Heaviest column: the input channel with the "
            + "largest root mean square, and that by the root mean square of the tensor.\n"
            + "The histogram's bins are half a σ wide and as high as the logarithm of their count.\n"
            + (broken > 0
                ? "\(NumberFormatting.grouped(broken)) weights are NaN or infinite\n" : "")
    }

    /// Four digits, wherever the point is.
    private func significant(_ value: Double) -> String {
        let magnitude = abs(value)
        let decimals =
            switch magnitude {
            case 1000...: 0
            case 100...: 1
            case 10...: 2
            case 1...: 3
            default: 5
            }
        return NumberFormatting.fixed(value, decimals: decimals)
    }
}

extension WeightDistribution {
    /// The histogram, a character for each bin.
    fileprivate var picture: String {
        let heights = Array("▁▂▃▄▅▆▇█")
        let highest = logarithm(of: histogram.max() ?? 0)
        return String(
            histogram.map { count -> Character in
                guard count > 0 else { return " " }
                let height = highest > 0 ? logarithm(of: count) * 7 / highest : 0
                return heights[min(7, height)]
            })
    }

    /// Of 2, in sixteenths, of a count and one.
    private func logarithm(of count: Int) -> Int {
        let value = count + 1
        let whole = Int.bitWidth - 1 - value.leadingZeroBitCount
        return whole * 16 + ((value - (1 << whole)) * 16 >> whole)
    }

    var json: JSON {
        [
            "count": .integer(weightCount), "not_finite": .integer(notFiniteCount),
            "zero": .integer(zeroCount), "minimum": .finite(Double(minimum)),
            "maximum": .finite(Double(maximum)), "mean": .finite(mean),
            "standard_deviation": .finite(standardDeviation), "kurtosis": .finite(kurtosis),
            "largest_at": [.integer(row), .integer(column)],
            "largest_in_deviations": .finite(largestInDeviations),
            "outliers": .integer(outlierCount),
            "heaviest_column": .integer(heaviestColumn),
            "heaviest_column_ratio": .finite(heaviestColumnRatio),
            "histogram": [
                "from": .finite(-WeightDistribution.reach),
                "bin_width": .finite(WeightDistribution.binWidth),
                "counts": .array(histogram.map(JSON.integer)),
            ],
        ]
    }
}
