import TensorIR

/// Q6_K: blocks of 256 weights, six bits a weight; each 16 weights have a scale of eight bits.
///
///     offset  size  field
///          0   128  low four bits: byte 64 n + i holds weights 128 n + i and 128 n + 64 + i
///        128    64  high two bits: byte 32 n + i holds weights 128 n + i + {0, 32, 64, 96}
///        192    16  scales: two's complement, byte i belongs to sub-block i
///        208     2  unit of the scales: IEEE 754 half, little-endian
///
/// A weight decodes as `(unit * scale) * (code - 32)`. Specified in Formats/GGUF/Blocks.md, section
/// Q6_K.
package enum Q6_K: SuperBlockFormat {
    static let type = BlockEncoding.q6_K
    package static let weightsPerBlock = 256
    package static let bytesPerBlock = 210

    static func pack(_ source: SuperBlock, into block: UnsafeMutableRawBufferPointer) {
        block.storeNibbles(at: 0, distance: 64) { UInt8(bitPattern: source.levels[$0] &+ 32) }
        block.storeTwoBits(at: 128) { UInt8(bitPattern: source.levels[$0] &+ 32) >> 4 }
        for i in 0..<16 { block[192 + i] = UInt8(bitPattern: source.scaleCodes[i]) }
        block.storeHalf(source.unit, at: 208)
    }

    package static func decode(
        _ block: UnsafeRawBufferPointer, into weights: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(weights.count == weightsPerBlock && block.count == bytesPerBlock)

        let unit = block.half(at: 208)
        for subBlock in 0..<16 {
            let scale = unit * Float(Int8(bitPattern: block[192 + subBlock]))
            let half = subBlock / 8
            let low = 64 * half + subBlock % 4 * 16
            let lowShift = UInt8(subBlock % 8 / 4 * 4)
            let high = 128 + 32 * half + subBlock % 2 * 16
            let highShift = UInt8(subBlock % 8 / 2 * 2)
            for i in 0..<16 {
                let lowBits = block[low + i] &>> lowShift & 0x0F
                let code = lowBits | (block[high + i] &>> highShift & 3) &<< 4
                weights[16 * subBlock + i] = scale * Float(Int32(code) - 32)
            }
        }
    }
}
