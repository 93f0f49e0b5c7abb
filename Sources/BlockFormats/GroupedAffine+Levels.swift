import TensorIR

/// Groups as levels: `weight = scale * level + minimum`, where the decoder computes
/// `scale * (code - zeroPoint)` or `scale * code + bias`.
extension GroupedAffine {
    /// The level of code 0. Levels are kept in eight bits with a sign, so eight-bit codes are
    /// shifted.
    var lowestLevel: Int { offset == .symmetric || bits == 8 ? -symmetricZero : 0 }

    func representable(scale: Float, minimum: Float) -> (scale: Float, minimum: Float) {
        // A float or a bfloat16 reaches further than its product with a level may.
        var scale = representable(scale.clamped(to: 0x1p118))
        if offset == .zeroPoint, scaleType == .f32 {
            // `scale * level + minimum` equals `scale * (code - zeroPoint)` in every bit when the
            // products are exact: sixteen significant bits times eight.
            scale = Float(bitPattern: scale.bitPattern & 0xFFFF_FF00)
        }
        return (scale, self.minimum(scale: scale, offset: offset(scale: scale, minimum: minimum)))
    }

    func pack(
        levels: UnsafePointer<Int8>, count: Int, scale: Float, minimum: Float,
        into group: UnsafeMutableRawBufferPointer
    ) {
        group.store(scale, scaleType, at: 0)
        let stored = offset(scale: scale, minimum: minimum)
        switch offset {
        case .symmetric: break
        case .zeroPoint: group[scaleType.byteCount] = UInt8(stored)
        case .bias: group.store(stored, scaleType, at: scaleType.byteCount)
        }
        let codes = UnsafeMutableRawBufferPointer(rebasing: group[codesOffset...])
        storeCodes(into: codes, count: count) {
            UInt8((Int(levels[$0]) - lowestLevel) & maximumCode)
        }
    }

    func unpack(
        _ group: UnsafeRawBufferPointer, count: Int, levels: UnsafeMutablePointer<Int8>
    ) -> (scale: Float, minimum: Float) {
        let codes = UnsafeRawBufferPointer(rebasing: group[codesOffset...])
        forEachCode(codes, count: count) { index, code in
            levels[index] = Int8(truncatingIfNeeded: Int(code) + lowestLevel)
        }
        let scale = group.number(scaleType, at: 0)
        switch offset {
        case .symmetric: return (scale, 0)
        case .zeroPoint:
            return (scale, minimum(scale: scale, offset: Float(group[scaleType.byteCount])))
        case .bias:
            let bias = group.number(scaleType, at: scaleType.byteCount)
            return (scale, minimum(scale: scale, offset: bias))
        }
    }

    /// What is stored beside the scale, a zero point or a bias, to come closest to `minimum`.
    private func offset(scale: Float, minimum: Float) -> Float {
        switch offset {
        case .symmetric: return 0
        case .zeroPoint:
            let steps = scale == 0 ? 0 : minimum / scale
            return Float(code(Float(-lowestLevel) - steps + 0.5, maximum: Float(maximumCode)))
        case .bias:
            return representable((minimum + scale * Float(lowestLevel)).clamped(to: 0x1p126))
        }
    }

    /// The weight of level 0, given what is stored beside the scale.
    private func minimum(scale: Float, offset stored: Float) -> Float {
        switch offset {
        case .symmetric: 0
        case .zeroPoint: scale * (Float(-lowestLevel) - stored)
        case .bias: stored - scale * Float(lowestLevel)
        }
    }
}
