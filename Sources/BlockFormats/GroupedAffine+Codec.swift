import TensorIR

/// Rows of integers in groups that share a scale; the layout stands at `GroupedAffine`.
///
/// The codes are chosen on the scale and offset as the file holds them, so that rounding those
/// costs no weight more than half a step.
extension GroupedAffine {
    /// The largest code.
    var maximumCode: Int { 1 << bits - 1 }
    /// The code that means 0 in a symmetric group.
    var symmetricZero: Int { 1 << (bits - 1) }
    /// Where the codes of a group start.
    var codesOffset: Int { scaleType.byteCount + offsetByteCount }

    /// Decodes one row.
    func decode(
        _ row: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        let values = element.values
        forEachGroup(columns: weights.count) { index, columns in
            let group = row.part(index, of: bytesPerGroup)
            let target = UnsafeMutableBufferPointer(rebasing: weights[columns])
            let codes = UnsafeRawBufferPointer(rebasing: group[codesOffset...])
            let scale = group.number(scaleType, at: 0)
            guard element == .integer else {
                forEachCode(codes, count: target.count) { target[$0] = scale * values[Int($1)] }
                return
            }
            switch offset {
            case .symmetric, .zeroPoint:
                let zero =
                    offset == .symmetric ? Int32(symmetricZero) : Int32(group[scaleType.byteCount])
                forEachCode(codes, count: target.count) { target[$0] = scale * Float($1 - zero) }
            case .bias:
                let bias = group.number(scaleType, at: scaleType.byteCount)
                forEachCode(codes, count: target.count) { target[$0] = scale * Float($1) + bias }
            }
        }
    }

    /// Encodes one row, each group over the range of its weights.
    func encode(_ weights: UnsafeBufferPointer<Float>, into row: UnsafeMutableRawBufferPointer) {
        forEachGroup(columns: weights.count) { index, columns in
            encodeGroup(
                UnsafeBufferPointer(rebasing: weights[columns]),
                into: row.part(index, of: bytesPerGroup))
        }
    }

    private func encodeGroup(
        _ weights: UnsafeBufferPointer<Float>, into group: UnsafeMutableRawBufferPointer
    ) {
        guard element == .integer else { return encodeFloats(weights, into: group) }
        let levels = Float(maximumCode)
        let scale: Float
        // What is added to the steps, or for a bias subtracted from the weight.
        let shift: Float
        switch offset {
        case .symmetric:
            // As in Q4_0: the code without a positive twin goes to the weight of largest magnitude.
            scale = representable(weights.extreme / -Float(symmetricZero))
            shift = Float(symmetricZero)
        case .zeroPoint:
            // Zero is among the weights that can be stored exactly, whatever their range.
            let bounds = weights.bounds
            let (low, high) = (min(bounds.low, 0), max(bounds.high, 0))
            scale = representable((high - low) / levels)
            shift = Float(code(-low * inverse(scale) + 0.5, maximum: levels))
            group[scaleType.byteCount] = UInt8(shift)
        case .bias:
            let (low, high) = weights.bounds
            scale = representable((high - low) / levels)
            shift = representable(low)
            group.store(shift, scaleType, at: scaleType.byteCount)
        }
        group.store(scale, scaleType, at: 0)

        let inverseScale = inverse(scale)
        let codes = UnsafeMutableRawBufferPointer(rebasing: group[codesOffset...])
        storeCodes(into: codes, count: weights.count) { i in
            let steps =
                offset == .bias
                ? (weights[i] - shift) * inverseScale : weights[i] * inverseScale + shift
            return code(steps + 0.5, maximum: levels)
        }
    }

    /// `value` as the scale's type holds it; finite whatever it is.
    func representable(_ value: Float) -> Float {
        switch scaleType {
        case .f16: Float(Float16(value.clamped(to: Float(Float16.greatestFiniteMagnitude))))
        case .bf16: Float(bitPattern: UInt32(BF16.bits(value.clamped(to: largestBF16))) << 16)
        default: value.clamped(to: .greatestFiniteMagnitude)
        }
    }

    private func forEachGroup(columns: Int, _ body: (_ index: Int, _ columns: Range<Int>) -> Void) {
        var start = 0
        var index = 0
        while start < columns {
            let end = start + min(groupSize, columns - start)
            body(index, start..<end)
            (start, index) = (end, index + 1)
        }
    }
}

/// The largest finite number whose lower half is zero.
private let largestBF16 = Float(bitPattern: 0x7F7F_0000)

extension Float {
    /// The nearest number whose magnitude is at most `limit`; 0 for NaN.
    func clamped(to limit: Float) -> Float { isNaN ? 0 : Swift.min(Swift.max(self, -limit), limit) }
}
