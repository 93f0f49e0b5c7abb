import ByteIO
import TensorIR

/// Checkpoints whose `config.json` says `"quant_method": "compressed-tensors"`.
///
/// Which form a matrix has, its tensors tell:
///
///     X.weight_packed  I32 (rows, columns * bits / 32)  integers, with `X.weight_scale`
///                      U8 (rows, columns / 2)           E2M1, with `X.weight_scale` U8: MXFP4,
///                                                       or F8_E4M3 and `X.weight_global_scale`: NVFP4
///     X.weight         I8 or F8 (rows, columns)         with `X.weight_scale`
///
/// Specified in Formats/Quantized/SPECIFICATION.md.
struct CompressedTensors {
    /// Columns that share a scale, where the configuration states it.
    let groupSize: Int?
    /// Of weights in `pack-quantized`.
    let bits: Int?

    private static let formats: Set<String> = [
        "pack-quantized", "int-quantized", "naive-quantized", "float-quantized",
        "mxfp4-pack-quantized", "nvfp4-pack-quantized",
    ]
    /// Of activations, which we do not quantize, and of what is read along with a weight.
    private static let otherParts = [
        ".weight_scale", ".weight_zero_point", ".weight_global_scale", ".weight_shape",
        ".weight_g_idx", ".input_scale", ".input_zero_point", ".input_global_scale",
        ".output_scale", ".output_zero_point", ".k_scale", ".v_scale", ".q_scale",
    ]

    init(_ settings: JSON) throws(ModelError) {
        let format = settings["format"]?.string ?? "absent"
        guard CompressedTensors.formats.contains(format) else {
            throw ModelError(
                "config.json: 'quantization_config.format' is '\(format.escapedForDisplay)', which is "
                    + "not supported; supported: "
                    + CompressedTensors.formats.sorted().joined(separator: ", "))
        }
        let status = settings["quantization_status"]?.string ?? "compressed"
        guard status == "compressed" else {
            throw ModelError(
                "config.json: 'quantization_config.quantization_status' is "
                    + "'\(status.escapedForDisplay)', supported: compressed")
        }
        if let sparsity = settings["sparsity_config"]?["format"]?.string, sparsity != "dense" {
            throw ModelError(
                "config.json: 'quantization_config.sparsity_config.format' is "
                    + "'\(sparsity.escapedForDisplay)', supported: dense")
        }
        let groups = settings["config_groups"]?.object?.values.map { $0["weights"] } ?? []
        // Where groups of layers differ, shapes have to tell.
        let sizes = Set(groups.map { $0?["group_size"]?.integer ?? 0 })
        let widths = Set(groups.map { $0?["num_bits"]?.integer ?? 0 })
        groupSize = sizes.count == 1 ? sizes.first.flatMap { $0 > 0 ? $0 : nil } : nil
        bits = widths.count == 1 ? widths.first : nil
    }

    func tensors(of parts: TensorParts) throws -> [any TensorSource] {
        try parts.all.compactMap { tensor in
            let name = tensor.descriptor.name
            if name.hasSuffix(".weight_packed") {
                let base = String(name.dropLast(".weight_packed".count))
                return try packed(base, tensor, parts)
            }
            if name.hasSuffix(".weight") {
                let base = String(name.dropLast(".weight".count))
                guard parts["\(base).weight_scale"] != nil else { return tensor }
                return try plain(base, tensor, parts)
            }
            return CompressedTensors.otherParts.contains(where: name.hasSuffix) ? nil : tensor
        }
    }

    private func packed(
        _ base: String, _ codes: any TensorSource, _ parts: TensorParts
    ) throws -> any TensorSource {
        switch codes.descriptor.encoding {
        case .scalar(.i32): return try integers(base, parts)
        case .scalar(.u8):
            let codes = try parts.required("\(base).weight_packed", [.u8])
            let columns = codes.descriptor.columns * 2
            if parts["\(base).weight_global_scale"] != nil {
                return try twoLevelFloats(base, codes, columns, parts)
            }
            let scales = try parts.required("\(base).weight_scale", [.u8])
            return try MicroscalingRows(base: base, codes: codes, scales: scales, columns: columns)
                .tensor()
        default:
            throw ModelError(
                "tensor '\(codes.descriptor.name.escapedForDisplay)' is "
                    + "\(codes.descriptor.encoding), expected I32 or U8")
        }
    }

    /// Integers of eight bits with a sign, or floats of eight bits.
    private func plain(
        _ base: String, _ codes: any TensorSource, _ parts: TensorParts
    ) throws -> any TensorSource {
        let codes = try parts.required("\(base).weight", [.i8, .f8_e4m3, .f8_e5m2])
        if parts["\(base).weight_zero_point"] != nil {
            throw ModelError(
                "tensor '\(base.escapedForDisplay).weight_zero_point': zero points of eight-bit "
                    + "weights are not supported")
        }
        let scales = try GroupScales(
            base, parts, rows: codes.descriptor.rows, columns: codes.descriptor.columns,
            groupSize: groupSize)
        let (size, type) = (scales.groupSize, scales.type)
        let encoding: GroupedAffine =
            switch codes.descriptor.encoding {
            case .scalar(.f8_e4m3): GroupedAffine(.e4m3, groupSize: size, scaleType: type)
            case .scalar(.f8_e5m2): GroupedAffine(.e5m2, groupSize: size, scaleType: type)
            default:
                GroupedAffine(bits: 8, groupSize: size, offset: .symmetric, scaleType: type)
            }
        var packed = PackedRows(
            base: base, encoding: encoding, columns: codes.descriptor.columns, codes: codes)
        if encoding.element == .integer { packed.codeMask = 0x80 }
        return try packed.tensor { rows, use in
            try scales.withBytes { bytes in
                use { row, group, target in scales.copy(bytes, row: row, group: group, to: target) }
            }
        }
    }
}
