import TensorIR

/// Groups of small floats.
extension GroupedAffine {
    /// Encodes one group: the largest weight becomes the largest float, the others the nearest.
    func encodeFloats(
        _ weights: UnsafeBufferPointer<Float>, into group: UnsafeMutableRawBufferPointer
    ) {
        let scale = representable(weights.extreme.magnitude / element.largest)
        let inverseScale = inverse(scale)
        group.store(scale, scaleType, at: 0)
        let codes = UnsafeMutableRawBufferPointer(rebasing: group[codesOffset...])
        storeCodes(into: codes, count: weights.count) { i in
            switch element {
            case .e4m3: Float8<E4M3>.code(weights[i] * inverseScale)
            case .e5m2: Float8<E5M2>.code(weights[i] * inverseScale)
            // The codes count doubled values.
            default: E2M1.code(nearestTo: weights[i], scale: scale / 2)
            }
        }
    }
}

extension GroupedAffine.Element {
    /// The value of each code; nothing for integers, which need no table.
    var values: [Float] {
        switch self {
        case .integer: []
        case .e2m1: E2M1.values
        case .e4m3: E4M3.values
        case .e5m2: E5M2.values
        }
    }

    /// The largest finite value.
    fileprivate var largest: Float {
        switch self {
        case .integer: 1
        case .e2m1: 6
        case .e4m3: 448
        case .e5m2: 57344
        }
    }
}
