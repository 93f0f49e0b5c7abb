import TensorIR

/// Q4_K: blocks of 256 weights, four bits a weight; each 32 weights have a scale and a minimum of
/// six bits.
///
///     offset  size  field
///          0     2  unit of the scales: IEEE 754 half, little-endian
///          2     2  unit of the minimums: IEEE 754 half, little-endian
///          4    12  scales and minimums: see `SixBitScales`
///         16   128  codes: byte 32 n + i holds weights 64 n + i (low nibble) and 64 n + 32 + i
///
/// A weight decodes as `(unit * scale) * code - minimumUnit * minimum`. Specified in
/// Formats/GGUF/Blocks.md, section Q4_K.
package enum Q4_K: SuperBlockFormat {
    static let type = BlockEncoding.q4_K
    package static let weightsPerBlock = 256
    package static let bytesPerBlock = 144

    static func pack(_ source: SuperBlock, into block: UnsafeMutableRawBufferPointer) {
        SixBitScales.pack(source, into: block)
        block.storeNibbles(at: 16, distance: 32) { UInt8(bitPattern: source.levels[$0]) }
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scales = SixBitScales(block)
        for pair in 0..<4 {
            let (lowScale, lowMinimum) = scales[2 * pair]
            let (highScale, highMinimum) = scales[2 * pair + 1]
            for i in 0..<32 {
                let codes = block[16 + 32 * pair + i]
                weights[64 * pair + i] = lowScale * Float(codes & 0x0F) - lowMinimum
                weights[64 * pair + 32 + i] = highScale * Float(codes >> 4) - highMinimum
            }
        }
    }
}

/// The scales and minimums of the eight sub-blocks of Q4_K and Q5_K: two units as halves, then 12
/// bytes.
///
///     byte   bits 7-6                 bits 5-0
///        i   scale i + 4, bits 5-4    scale i                        i = 0...3
///    4 + i   minimum i + 4, bits 5-4  minimum i
///            bits 7-4                 bits 3-0
///    8 + i   minimum i + 4, bits 3-0  scale i + 4, bits 3-0
struct SixBitScales {
    private let block: UnsafeRawBufferPointer
    private let unit: Float
    private let minimumUnit: Float

    init(_ block: UnsafeRawBufferPointer) {
        (self.block, unit, minimumUnit) = (block, block.half(at: 0), block.half(at: 2))
    }

    subscript(subBlock: Int) -> (scale: Float, minimum: Float) {
        let scale: UInt8
        let minimum: UInt8
        if subBlock < 4 {
            scale = block[4 + subBlock] & 0x3F
            minimum = block[8 + subBlock] & 0x3F
        } else {
            scale = block[8 + subBlock] & 0x0F | (block[subBlock] & 0xC0) >> 2
            minimum = block[8 + subBlock] >> 4 | (block[4 + subBlock] & 0xC0) >> 2
        }
        return (unit * Float(scale), minimumUnit * Float(minimum))
    }

    static func pack(_ source: SuperBlock, into block: UnsafeMutableRawBufferPointer) {
        block.storeHalf(source.unit, at: 0)
        block.storeHalf(source.minimumUnit, at: 2)
        for i in 0..<4 {
            let scale = UInt8(bitPattern: source.scaleCodes[i])
            let minimum = UInt8(bitPattern: source.minimumCodes[i])
            let laterScale = UInt8(bitPattern: source.scaleCodes[i + 4])
            let laterMinimum = UInt8(bitPattern: source.minimumCodes[i + 4])
            block[4 + i] = scale & 0x3F | (laterScale & 0x30) << 2
            block[8 + i] = minimum & 0x3F | (laterMinimum & 0x30) << 2
            block[12 + i] = laterScale & 0x0F | laterMinimum << 4
        }
    }
}
