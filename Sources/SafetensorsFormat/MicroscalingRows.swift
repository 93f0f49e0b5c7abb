import TensorIR

/// Floats of four bits in groups of 32 with a power of two: a matrix of MXFP4 as safetensors hold it.
///
///     codes   (rows, columns / 2 bytes)   two to a byte, the lower half first
///     scales  U8 (rows, columns / 32)     2^(exponent - 127)
///
/// GGUF's blocks have the same parts, with the codes of a block in another order.
struct MicroscalingRows {
    let base: String
    let codes: any TensorSource
    let scales: any TensorSource
    let columns: Int

    func tensor() throws(ModelError) -> GatheredTensor {
        let (codes, scales) = (codes, scales)
        let (rows, blocks) = (codes.descriptor.rows, columns / 32)
        guard columns % 32 == 0, scales.descriptor.shape == [rows, blocks],
            codes.descriptor.rowByteCount == columns / 2
        else {
            throw ModelError(
                "tensor '\(scales.descriptor.name)' of shape \(scales.descriptor.shape) does not fit "
                    + "codes of shape \(codes.descriptor.shape) in groups of 32")
        }
        return try GatheredTensor(
            base: base, rows: rows, columns: columns, encoding: .block(.mxfp4)
        ) { rows, target in
            try codes.withBytes(rows: rows) { codes in
                try scales.withBytes(rows: rows) { scales in
                    for block in 0..<rows.count * blocks {
                        target[block * 17] = scales[block]
                        for i in 0..<16 {
                            // Byte i of a block holds weights i and i + 16.
                            let low = codes[block * 16 + i / 2] >> UInt8(i % 2 * 4) & 0x0F
                            let high = codes[block * 16 + 8 + i / 2] >> UInt8(i % 2 * 4) & 0x0F
                            target[block * 17 + 1 + i] = low | high << 4
                        }
                    }
                }
            }
        }
    }
}
