import ByteIO
import TensorIR

/// Checkpoints of mlx-lm, whose `config.json` has `quantization`.
///
///     X.weight  U32 (rows, columns * bits / 32)  codes along the inputs, least significant bit first
///     X.scales  F16, BF16 or F32 (rows, groups)
///     X.biases  likewise; weight = scale * code + bias
///
/// A matrix without scales is not quantized. In mode `mxfp4` scales are U8 exponents, and there are no
/// biases. Specified in Formats/Quantized/SPECIFICATION.md.
struct MLXLayout {
    private let settings: JSON

    init(_ settings: JSON) throws(ModelError) {
        self.settings = settings
        guard settings["bits"] != nil, settings["group_size"] != nil else {
            throw ModelError(
                "config.json: 'quantization' has neither 'quant_method' nor 'bits' and 'group_size'"
            )
        }
    }

    func tensors(of parts: TensorParts) throws -> [any TensorSource] {
        try parts.all.compactMap { tensor in
            let name = tensor.descriptor.name
            if name.hasSuffix(".scales") || name.hasSuffix(".biases") { return nil }
            guard name.hasSuffix(".weight") else { return tensor }
            let base = String(name.dropLast(".weight".count))
            guard parts["\(base).scales"] != nil else { return tensor }
            return try matrix(base, parts)
        }
    }

    /// What the configuration says of a module: of its own, or of all.
    private func number(_ key: String, _ base: String) throws(ModelError) -> Int {
        let value = settings[base]?[key] ?? settings[key]
        guard let number = value?.integer, (1...1 << 24).contains(number) else {
            throw ModelError("config.json: 'quantization.\(key)' must be a positive integer")
        }
        return number
    }

    private func matrix(_ base: String, _ parts: TensorParts) throws -> any TensorSource {
        let mode = (settings[base]?["mode"] ?? settings["mode"])?.string ?? "affine"
        let codes = try parts.required("\(base).weight", [.u32])
        let (bits, groupSize) = (try number("bits", base), try number("group_size", base))
        guard (2...8).contains(bits), codes.descriptor.columns <= 1 << 26 else {
            throw ModelError("config.json: 'quantization.bits' is \(bits), supported: 2 to 8")
        }
        let columns = codes.descriptor.columns * 32 / bits
        if mode == "mxfp4", bits == 4, groupSize == 32 {
            let scales = try parts.required("\(base).scales", [.u8])
            return try MicroscalingRows(base: base, codes: codes, scales: scales, columns: columns)
                .tensor()
        }
        guard mode == "affine" else {
            throw ModelError(
                "config.json: 'quantization.mode' is '\(mode.escapedForDisplay)' of \(bits) bits in "
                    + "groups of \(groupSize), which is not supported; supported: affine, and mxfp4 "
                    + "of 4 bits in groups of 32")
        }
        let scales = try parts.required("\(base).scales", [.f16, .bf16, .f32])
        let scaleType = try scales.descriptor.scaleType()
        let biases = try parts.required("\(base).biases", [scaleType])
        let shape = [codes.descriptor.rows, (columns + groupSize - 1) / groupSize]
        for tensor in [scales, biases] where tensor.descriptor.shape != shape {
            throw ModelError(
                "tensor '\(tensor.descriptor.name.escapedForDisplay)' has shape "
                    + "\(tensor.descriptor.shape), expected \(shape)")
        }
        let encoding = GroupedAffine(
            bits: bits, groupSize: groupSize, offset: .bias, scaleType: scaleType)
        let (size, groups) = (scaleType.byteCount, shape[1])
        return try PackedRows(base: base, encoding: encoding, columns: columns, codes: codes)
            .tensor { rows, use in
                try scales.withBytes(rows: rows) { scales in
                    try biases.withBytes(rows: rows) { biases in
                        use { row, group, target in
                            let place = ((row - rows.lowerBound) * groups + group) * size
                            for byte in 0..<size {
                                target[byte] = scales[place + byte]
                                target[size + byte] = biases[place + byte]
                            }
                        }
                    }
                }
            }
    }
}
