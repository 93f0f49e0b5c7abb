import ByteIO
import TensorIR

extension CompressedTensors {
    /// Integers of 2, 4 or 8 bits, stored plus 2^(bits − 1).
    func integers(_ base: String, _ parts: TensorParts) throws -> any TensorSource {
        let codes = try parts.required("\(base).weight_packed", [.i32])
        let shape = try parts.required("\(base).weight_shape", [.i64, .i32], dimensions: 1)
            .integers()
        guard shape.count == 2, shape[0] == codes.descriptor.rows, shape[1] > 0,
            shape[1] <= 1 << 30
        else {
            throw ModelError(
                "tensor '\(base.escapedForDisplay).weight_shape' says \(shape), the codes have "
                    + "\(codes.descriptor.rows) rows")
        }
        let (rows, columns) = (shape[0], shape[1])
        // Padding is less than a word, so that only narrow matrices fit more than one size.
        let fitting = [2, 4, 8].filter { (columns * $0 + 31) / 32 == codes.descriptor.columns }
        let bits = self.bits ?? (fitting.count == 1 ? fitting[0] : 0)
        guard [2, 4, 8].contains(bits), (columns * bits + 31) / 32 == codes.descriptor.columns
        else {
            throw ModelError(
                "config.json: 'num_bits' is \(bits), and tensor "
                    + "'\(base.escapedForDisplay).weight_packed' of shape \(codes.descriptor.shape) "
                    + "holds \(columns) columns; supported: 2, 4 or 8 bits")
        }
        if let order = parts["\(base).weight_g_idx"] { try checkOrder(order, columns: columns) }
        let scales = try GroupScales(
            base, parts, rows: rows, columns: columns, groupSize: groupSize)
        let zeros = try parts["\(base).weight_zero_point"].map { _ in
            try parts.required("\(base).weight_zero_point", [.i32])
        }
        let encoding = GroupedAffine(
            bits: bits, groupSize: scales.groupSize,
            offset: zeros == nil ? .symmetric : .zeroPoint, scaleType: scales.type)
        let packed = PackedRows(base: base, encoding: encoding, columns: columns, codes: codes)
        guard let zeros else {
            return try packed.tensor { rows, use in
                try scales.withBytes { bytes in
                    use { row, group, target in
                        scales.copy(bytes, row: row, group: group, to: target)
                    }
                }
            }
        }
        let groups = scales.groupCount
        guard zeros.descriptor.shape == [(rows * bits + 31) / 32, groups] else {
            throw ModelError(
                "tensor '\(zeros.descriptor.name.escapedForDisplay)' has shape "
                    + "\(zeros.descriptor.shape), expected \([(rows * bits + 31) / 32, groups])")
        }
        return try packed.tensor { rows, use in
            try scales.withBytes { bytes in
                try zeros.withBytes(rows: 0..<zeros.descriptor.rows) { zeros in
                    use { row, group, target in
                        scales.copy(bytes, row: row, group: group, to: target)
                        let bit = row * bits % 32
                        let byte = zeros[(row * bits / 32 * groups + group) * 4 + bit / 8]
                        target[scales.type.byteCount] =
                            byte >> UInt8(bit % 8) & UInt8(truncatingIfNeeded: 1 << bits - 1)
                    }
                }
            }
        }
    }

    /// NVFP4: `weight = code * (scale / globalScale)`, the quotient in 32 bits.
    func twoLevelFloats(
        _ base: String, _ codes: any TensorSource, _ columns: Int, _ parts: TensorParts
    ) throws -> any TensorSource {
        let scales = try parts.required("\(base).weight_scale", [.f8_e4m3])
        let global = try parts.required("\(base).weight_global_scale", [.f32], dimensions: 1)
            .positiveFloats()
        let groups = columns / 16
        guard global.count == 1, columns % 16 == 0,
            scales.descriptor.shape == [codes.descriptor.rows, groups]
        else {
            throw ModelError(
                "tensor '\(base.escapedForDisplay).weight_scale' of shape \(scales.descriptor.shape) "
                    + "and \(global.count) global scales do not fit \(columns) columns in groups of 16"
            )
        }
        let quotients = (0...UInt8.max).map { E4M3Scale.value($0) / global[0] }
        let encoding = GroupedAffine(.e2m1, groupSize: 16, scaleType: .f32)
        return try PackedRows(base: base, encoding: encoding, columns: columns, codes: codes)
            .tensor { rows, use in
                try scales.withBytes(rows: rows) { scales in
                    use { row, group, target in
                        let code = scales[(row - rows.lowerBound) * groups + group]
                        target.storeBytes(
                            of: quotients[Int(code)].bitPattern.littleEndian, as: UInt32.self)
                    }
                }
            }
    }

    /// Groups of columns that are not neighbours have no place in the IR's rows. −1 stands for a group
    /// that was not assigned: all columns are in order then.
    private func checkOrder(_ order: any TensorSource, columns: Int) throws {
        let groups = try order.integers()
        let isInOrder =
            groups.allSatisfy { $0 == -1 }
            || groups.enumerated().allSatisfy { $1 == $0 / (groupSize ?? columns) }
        guard groups.count == columns, isInOrder else {
            throw ModelError(
                "tensor '\(order.descriptor.name.escapedForDisplay)' orders columns by activation "
                    + "(actorder), which is not supported")
        }
    }
}

/// The scales of a matrix: one for all, one for each row, or one for each group of columns of a row.
struct GroupScales {
    let type: ScalarType
    let groupSize: Int
    let groupCount: Int
    private let tensor: any TensorSource
    /// Whether rows have scales of their own.
    private let hasRows: Bool

    init(
        _ base: String, _ parts: TensorParts, rows: Int, columns: Int, groupSize: Int?
    ) throws(ModelError) {
        guard let tensor = parts["\(base).weight_scale"] else {
            throw ModelError("tensor '\(base.escapedForDisplay).weight_scale' is missing")
        }
        let shape = tensor.descriptor.shape
        self.tensor = tensor
        type = try tensor.descriptor.scaleType()
        let scaleRows = shape.count == 2 ? shape[0] : 1
        groupCount = shape.count == 2 ? shape[1] : shape.first ?? 1
        let size = groupCount == 1 ? columns : groupSize ?? columns / max(1, groupCount)
        self.groupSize = max(1, size)
        hasRows = scaleRows == rows
        guard shape.count <= 2, groupCount > 0, hasRows || scaleRows == 1, size > 0,
            size <= 1 << 24, (columns + size - 1) / size == groupCount
        else {
            throw ModelError(
                "tensor '\(base.escapedForDisplay).weight_scale' of shape \(shape) has not one scale "
                    + "for all of \(rows) × \(columns) weights, for each row, or for groups of a "
                    + "row, which are supported")
        }
    }

    func withBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
        try tensor.withBytes(rows: 0..<tensor.descriptor.rows, body)
    }

    /// Copies the scale of a group.
    func copy(
        _ scales: UnsafeRawBufferPointer, row: Int, group: Int,
        to target: UnsafeMutableRawBufferPointer
    ) {
        let place = ((hasRows ? row : 0) * groupCount + group) * type.byteCount
        for byte in 0..<type.byteCount { target[byte] = scales[place + byte] }
    }
}

/// A float of eight bits, four of exponent, three of mantissa, as a scale.
enum E4M3Scale {
    /// What a code stands for; the code of NaN is NaN.
    static func value(_ code: UInt8) -> Float {
        let (exponent, mantissa) = (Int(code >> 3 & 0x0F), Float(code & 7))
        guard code & 0x7F != 0x7F else { return .nan }
        let magnitude =
            exponent == 0
            ? mantissa * 0x1p-9
            : Float(sign: .plus, exponent: exponent - 7, significand: 1 + mantissa / 8)
        return code & 0x80 == 0 ? magnitude : -magnitude
    }
}

extension TensorSource {
    /// The elements of a small vector of integers.
    fileprivate func integers() throws -> [Int] {
        let bytes = try bytes()
        return bytes.withUnsafeBytes { raw in
            switch descriptor.encoding {
            case .scalar(.i64):
                stride(from: 0, to: raw.count, by: 8).map {
                    Int(
                        truncatingIfNeeded: Int64(
                            littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: Int64.self)))
                }
            case .scalar(.i32):
                stride(from: 0, to: raw.count, by: 4).map {
                    Int(
                        Int32(littleEndian: raw.loadUnaligned(fromByteOffset: $0, as: Int32.self)))
                }
            default: []
            }
        }
    }
}
