import ByteIO
import TensorIR

/// Checkpoints whose `config.json` says `"quant_method": "awq"`, in AutoAWQ's layout "gemm".
///
///     X.qweight  I32 (columns, rows / 8)  codes of four bits, along the outputs
///     X.qzeros   I32 (groups, rows / 8)   zero points, likewise
///     X.scales   F16 (groups, rows)
///
/// Nibble i of a word, counted from the lowest, belongs to output `[0, 2, 4, 6, 1, 3, 5, 7][i]` of the
/// word's eight. weight = scale * (code - zeroPoint). Specified in Formats/Quantized/SPECIFICATION.md.
struct AWQLayout {
    private let groupSize: Int

    /// The nibble of each output.
    private static let nibbles = [0, 4, 1, 5, 2, 6, 3, 7]

    init(_ settings: JSON) throws(ModelError) {
        let bits = (settings["bits"] ?? settings["w_bit"])?.integer
        guard bits == 4 else {
            throw ModelError(
                "config.json: 'quantization_config.bits' is \(bits.map(String.init) ?? "absent"); "
                    + "AWQ checkpoints are supported with 4")
        }
        let version = settings["version"]?.string ?? "gemm"
        guard version.lowercased() == "gemm" else {
            throw ModelError(
                "config.json: 'quantization_config.version' is '\(version.escapedForDisplay)', which "
                    + "is not supported; supported: gemm")
        }
        guard let size = (settings["group_size"] ?? settings["q_group_size"])?.integer,
            size == -1 || (1...1 << 24).contains(size)
        else {
            throw ModelError(
                "config.json: 'quantization_config.group_size' must be a positive integer or -1")
        }
        groupSize = size
    }

    func tensors(of parts: TensorParts) throws -> [any TensorSource] {
        try parts.replacing(".qweight", leavingOut: [".qzeros", ".scales"]) { base in
            try matrix(base, parts)
        }
    }

    private func matrix(_ base: String, _ parts: TensorParts) throws -> any TensorSource {
        let codes = try parts.required("\(base).qweight", [.i32])
        let zeros = try parts.required("\(base).qzeros", [.i32])
        let scales = try parts.required("\(base).scales", [.f16])
        let (columns, words) = (codes.descriptor.shape[0], codes.descriptor.shape[1])
        guard columns > 0, words > 0, words <= 1 << 27 else {
            throw ModelError("tensor '\(base.escapedForDisplay).qweight' is empty or too large")
        }
        let size = groupSize == -1 ? columns : groupSize
        let (rows, groups) = (words * 8, (columns + size - 1) / size)
        for (tensor, shape) in [(zeros, [groups, words]), (scales, [groups, rows])]
        where tensor.descriptor.shape != shape {
            throw ModelError(
                "tensor '\(tensor.descriptor.name.escapedForDisplay)' has shape "
                    + "\(tensor.descriptor.shape), expected \(shape)")
        }
        guard size % 2 == 0 || groups == 1 else {
            throw ModelError(
                "config.json: 'quantization_config.group_size' is \(size), an odd number")
        }
        let encoding = GroupedAffine(bits: 4, groupSize: size, offset: .zeroPoint)
        return try GatheredTensor(
            base: base, rows: rows, columns: columns, encoding: .grouped(encoding)
        ) { rows, target in
            target.initializeMemory(as: UInt8.self, repeating: 0)
            try codes.withBytes(rows: 0..<columns) { codes in
                try zeros.withBytes(rows: 0..<groups) { zeros in
                    try scales.withBytes(rows: 0..<groups) { scales in
                        for (index, row) in rows.enumerated() {
                            let start = index * groups * encoding.bytesPerGroup
                            AWQLayout.gather(
                                row: row, of: words * 8, columns: columns, encoding,
                                codes: codes, zeros: zeros, scales: scales,
                                into: UnsafeMutableRawBufferPointer(rebasing: target[start...]))
                        }
                    }
                }
            }
        }
    }

    private static func gather(
        row: Int, of rows: Int, columns: Int, _ encoding: GroupedAffine,
        codes: UnsafeRawBufferPointer, zeros: UnsafeRawBufferPointer,
        scales: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) {
        let (word, nibble) = (row / 8, nibbles[row % 8])
        // A word's bytes lie lowest first.
        let (place, shift) = (word * 4 + nibble / 2, UInt8(nibble % 2 * 4))
        let stride = rows / 2
        for group in 0..<(columns + encoding.groupSize - 1) / encoding.groupSize {
            let start = group * encoding.bytesPerGroup
            let scale = (group * rows + row) * 2
            (target[start], target[start + 1]) = (scales[scale], scales[scale + 1])
            target[start + 2] = zeros[group * stride + place] >> shift & 0x0F
            let first = group * encoding.groupSize
            for column in first..<min(first + encoding.groupSize, columns) {
                let code = codes[column * stride + place] >> shift & 0x0F
                let offset = column - first
                target[start + 3 + offset / 2] |= code << UInt8(offset % 2 * 4)
            }
        }
    }
}
