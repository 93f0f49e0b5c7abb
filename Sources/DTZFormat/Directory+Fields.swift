import ByteIO
import TensorIR

/// Builds little-endian bytes.
struct ByteWriter {
    var bytes: [UInt8] = []

    mutating func integer(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    /// The length in 32 bits, then UTF-8.
    mutating func string(_ text: String) {
        integer(UInt32(text.utf8.count))
        bytes += text.utf8
    }

    /// The length in 8 bits, then ASCII.
    private mutating func name(_ text: String) {
        integer(UInt8(text.utf8.count))
        bytes += text.utf8
    }

    mutating func encoding(_ encoding: Encoding) {
        switch encoding {
        case .scalar(let type):
            integer(UInt8(0))
            name(type.rawValue)
        case .block(let block):
            integer(UInt8(1))
            name(block.rawValue)
        case .grouped(let grouped):
            integer(UInt8(2))
            name(grouped.scaleType.rawValue)
            integer(UInt8(grouped.bits))
            integer(UInt8(GroupedAffine.elements.firstIndex(of: grouped.element) ?? 0))
            integer(UInt8(GroupedAffine.offsets.firstIndex(of: grouped.offset) ?? 0))
            integer(UInt32(grouped.groupSize))
        }
    }
}

extension GroupedAffine {
    /// In the order of the numbers that stand for them.
    fileprivate static let elements: [Element] = [.integer, .e2m1, .e4m3, .e5m2]
    fileprivate static let offsets: [Offset] = [.symmetric, .zeroPoint, .bias]
}

extension Transform {
    /// What it does, as bits.
    var flags: UInt8 {
        let flags = [turnsSign, isDelta, pairsExponents, paletteWidth != nil]
        let bits = flags.enumerated().reduce(UInt8(0)) { $0 | ($1.element ? 1 << $1.offset : 0) }
        return bits | UInt8((paletteWidth ?? 1).trailingZeroBitCount) << 4
    }
}

extension ByteReader {
    /// A byte that is 0 or 1.
    mutating func flag() throws(FormatError) -> Bool {
        let value = try integer(UInt8.self)
        guard value <= 1 else { throw failure(.malformed, "is \(value), must be 0 or 1") }
        return value == 1
    }

    mutating func string() throws(FormatError) -> String {
        let length = try integer(UInt32.self)
        let bytes = try take(Int(length))
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw failure(.malformed, "is not UTF-8")
        }
        return text
    }

    private mutating func name() throws(FormatError) -> String {
        let length = try integer(UInt8.self)
        return String(decoding: try take(Int(length)), as: UTF8.self)
    }

    mutating func transform() throws(FormatError) -> Transform {
        let flags = try integer(UInt8.self)
        let hasPalette = flags & 8 != 0
        guard flags < 0x40, hasPalette || flags < 8 else {
            throw failure(.unsupportedVersion, "flags \(flags) are not known")
        }
        let count = try integer(UInt16.self)
        var fields: [Int] = []
        for _ in 0..<count { fields.append(Int(try integer(UInt32.self))) }
        guard
            let transform = Transform(
                checking: fields, turnsSign: flags & 1 != 0, pairsExponents: flags & 4 != 0,
                paletteWidth: hasPalette ? 1 << Int(flags >> 4) : nil, isDelta: flags & 2 != 0)
        else {
            throw failure(.inconsistent, "fields \(fields.prefix(16)) make no transform")
        }
        return transform
    }

    mutating func tensor() throws(FormatError) -> TensorDescriptor {
        let name = try string()
        let encoding = try encoding()
        let dimensionCount = try integer(UInt8.self)
        var shape: [Int] = []
        for _ in 0..<dimensionCount {
            guard let dimension = Int(exactly: try integer(UInt64.self)) else {
                throw failure(.limitExceeded, "a dimension is too large")
            }
            shape.append(dimension)
        }
        guard let tensor = TensorDescriptor(name: name, shape: shape, encoding: encoding) else {
            throw failure(
                .limitExceeded,
                "'\(name.escapedForDisplay)' of shape \(shape) cannot be held as \(encoding)")
        }
        return tensor
    }

    private mutating func encoding() throws(FormatError) -> Encoding {
        let kind = try integer(UInt8.self)
        let name = try name()
        switch kind {
        case 0:
            if let type = ScalarType(rawValue: name) { return .scalar(type) }
        case 1:
            if let block = BlockEncoding(rawValue: name) { return .block(block) }
        case 2:
            return .grouped(try grouped(scaleType: ScalarType(rawValue: name)))
        default: break
        }
        throw failure(
            .unsupportedVersion, "encoding '\(name.escapedForDisplay)' is not supported")
    }

    private mutating func grouped(
        scaleType: ScalarType?
    ) throws(FormatError) -> GroupedAffine {
        let bits = Int(try integer(UInt8.self))
        let element = Int(try integer(UInt8.self))
        let offset = Int(try integer(UInt8.self))
        let groupSize = Int(try integer(UInt32.self))
        guard let scaleType, [.f16, .bf16, .f32].contains(scaleType), (2...8).contains(bits),
            GroupedAffine.elements.indices.contains(element),
            GroupedAffine.offsets.indices.contains(offset), (1...1 << 24).contains(groupSize)
        else { throw failure(.inconsistent, "no such groups exist") }
        guard element > 0 else {
            return GroupedAffine(
                bits: bits, groupSize: groupSize, offset: GroupedAffine.offsets[offset],
                scaleType: scaleType)
        }
        let grouped = GroupedAffine(
            GroupedAffine.elements[element], groupSize: groupSize, scaleType: scaleType)
        guard grouped.bits == bits, offset == 0 else {
            throw failure(.inconsistent, "floats of \(bits) bits do not exist")
        }
        return grouped
    }
}
