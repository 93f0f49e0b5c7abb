import TensorIR

/// Q5_K: blocks of 256 weights, five bits a weight; each 32 weights have a scale and a minimum of
/// six bits.
///
///     offset  size  field
///          0     2  unit of the scales: IEEE 754 half, little-endian
///          2     2  unit of the minimums: IEEE 754 half, little-endian
///          4    12  scales and minimums: see `SixBitScales`
///         16    32  fifth bits: bit j of byte i belongs to weight 32 j + i
///         48   128  codes: byte 32 n + i holds weights 64 n + i (low nibble) and 64 n + 32 + i
///
/// A weight decodes as `(unit * scale) * code - minimumUnit * minimum`. Specified in
/// Formats/GGUF/Blocks.md, section Q5_K.
package enum Q5_K: SuperBlockFormat {
    static let type = BlockEncoding.q5_K
    package static let weightsPerBlock = 256
    package static let bytesPerBlock = 176

    static func pack(_ source: SuperBlock, into block: UnsafeMutableRawBufferPointer) {
        SixBitScales.pack(source, into: block)
        block.storeBits(at: 16) { UInt8(bitPattern: source.levels[$0]) >> 4 }
        block.storeNibbles(at: 48, distance: 32) { UInt8(bitPattern: source.levels[$0]) }
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let scales = SixBitScales(block)
        for subBlock in 0..<8 {
            let (scale, minimum) = scales[subBlock]
            let codes = 48 + subBlock / 2 * 32
            let shift = UInt8(subBlock % 2 * 4)
            let fifthBit = UInt8(subBlock)
            for i in 0..<32 {
                let code =
                    block[codes + i] &>> shift & 0x0F | (block[16 + i] &>> fifthBit & 1) &<< 4
                weights[32 * subBlock + i] = scale * Float(code) - minimum
            }
        }
    }
}
