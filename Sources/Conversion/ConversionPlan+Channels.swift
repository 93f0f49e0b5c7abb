import Architectures
import Calibration
import Kernels
import OrderedCollections
import ProgressReporting
import TensorIR
import Transforms

extension ConversionSummary {
    /// What AWQ did to the scales of a model's channels.
    public struct ChannelScales: Sendable {
        /// One place whose channels were scaled.
        public struct Fold: Sendable, Hashable {
            /// Where: `norm → q, k, v`.
            public let place: String
            public let layer: Int
            /// The expert of a mixture; nil for what all tokens share.
            public let expert: Int?
            /// α in s = m^α for the mean magnitudes m of the channels; 0 changes nothing.
            public let exponent: Float
            /// What rounding to nearest does to the outputs of the matrices that read the channels, as a
            /// part of their squares: without scales, and with them.
            public let relativeErrorUnscaled: Double
            public let relativeError: Double
        }

        public internal(set) var folds: [Fold] = []
        /// Places that kept their scales: which, in how many layers or experts, and why.
        public internal(set) var omissions: [String] = []
    }
}

extension ConversionPlan {
    /// The plan for the model with AWQ's scales in its tensors.
    func scalingChannels(
        _ summary: inout ConversionSummary, _ workers: Workers, _ progress: some ProgressSink
    ) throws -> ConversionPlan {
        guard let model, !recipe.calibrationWindows.isEmpty else {
            preconditionFailure("AWQ needs a model and calibration text; the command checks both")
        }
        var encodings: [TensorRole: Encoding] = [:]
        for tensor in tensors where isQuantized(tensor) {
            for role in tensor.exported?.roles ?? [] { encodings[role] = tensor.target.encoding }
        }
        let search = ChannelScaleSearch(
            model, awq: recipe.awq, weighting: recipe.tokenWeighting
        ) { encodings[$0] }
        try runCalibration(
            model, windows: recipe.calibrationWindows, layers: search, output: nil, workers,
            progress,
            phase: "Scaling channels")
        summary.channelScales = ConversionSummary.ChannelScales(search)
        return try with(search.scaling.applied(to: model))
    }
}

extension ConversionSummary.ChannelScales {
    fileprivate init(_ search: ChannelScaleSearch) {
        folds = search.reports.map {
            Fold(
                place: $0.place.rawValue, layer: $0.layer, expert: $0.expert, exponent: $0.exponent,
                relativeErrorUnscaled: $0.relativeErrorUnscaled, relativeError: $0.relativeError)
        }
        var counts: OrderedDictionary<String, Int> = [:]
        for omission in search.omissions {
            counts["\(omission.place.rawValue): \(omission.reason)", default: 0] += 1
        }
        omissions = counts.map { "\($0.key) (\($0.value) times)" }
    }
}
