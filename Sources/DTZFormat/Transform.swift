import TensorIR

/// How the bytes of a chunk are put in another order before zstd sees them, so that equal kinds of bits
/// lie together.
///
/// A chunk is cut into records, a record into fields. All records' first fields come first, then all
/// second ones, and so on; bytes behind the last whole record stay last. Before that, a chunk may be
/// combined with the same bytes of a base model by exclusive or, and the bits of each record may be
/// turned so that a float's sign lies at the low end and its exponent in a byte of its own.
///
/// Specified in Formats/DTZ/SPECIFICATION.md, "Transforms".
package struct Transform: Sendable, Hashable {
    /// Whether the bytes are those of the model exclusive-or those of the base.
    package var isDelta = false
    /// Whether a record, as a little-endian integer, is turned left by one bit.
    package let turnsSign: Bool
    /// Whether the last plane, of exponents, is packed two to a byte.
    package let pairsExponents: Bool
    /// The sizes of a record's fields in bytes.
    package let fields: [Int]
    /// The bytes of an element where the last field is a group of them with a palette: 1, 2 or 4.
    package let paletteWidth: Int?

    /// - Precondition: positive fields; where the sign turns, 2, 4 or 8 of one byte, and where exponents
    ///   are paired, 2 or 4; of a palette's elements the last field holds a multiple of 32.
    package init(
        fields: [Int], turnsSign: Bool = false, pairsExponents: Bool = false,
        paletteWidth: Int? = nil, isDelta: Bool = false
    ) {
        guard
            let transform = Transform(
                checking: fields, turnsSign: turnsSign, pairsExponents: pairsExponents,
                paletteWidth: paletteWidth, isDelta: isDelta)
        else { preconditionFailure("fields \(fields) make no such transform") }
        self = transform
    }

    /// The same, of the difference from a base.
    package var ofDelta: Transform {
        var transform = self
        transform.isDelta = true
        return transform
    }

    /// Bytes as they are.
    package static let none = Transform(fields: [1])

    /// A transform that a file states, unless there is no such.
    init?(
        checking fields: [Int], turnsSign: Bool, pairsExponents: Bool, paletteWidth: Int?,
        isDelta: Bool
    ) {
        (self.fields, self.turnsSign) = (fields, turnsSign)
        (self.pairsExponents, self.isDelta) = (pairsExponents, isDelta)
        self.paletteWidth = paletteWidth
        guard isValid else { return nil }
    }

    private var isValid: Bool {
        guard !fields.isEmpty, fields.allSatisfy({ $0 > 0 && $0 <= DTZ.maximumChunkCapacity }),
            recordByteCount <= DTZ.maximumChunkCapacity
        else { return false }
        guard !pairsExponents || turnsSign && fields.count <= 4 else { return false }
        if let paletteWidth {
            return !turnsSign && [1, 2, 4].contains(paletteWidth)
                && fields[fields.count - 1] % (paletteWidth * Palettes.elementMultiple) == 0
        }
        return !turnsSign || [2, 4, 8].contains(fields.count) && fields.allSatisfy { $0 == 1 }
    }

    package var recordByteCount: Int { fields.reduce(0, +) }

    /// Whether more is done to the last field than to lay it apart.
    var isPacked: Bool { pairsExponents || paletteWidth != nil }

    /// The most bytes that a chunk of so many may become: exponents that have no code are added behind
    /// the codes, of which there are half as many as exponents, and each group has a byte that says
    /// whether it has a palette.
    package func capacity(of byteCount: Int) -> Int {
        isPacked ? Transform.capacity(of: byteCount) : byteCount
    }

    /// The same for any transform.
    package static func capacity(of byteCount: Int) -> Int { byteCount + byteCount / 4 + 2 }

    /// The palettes of a chunk of so many records.
    func palettes(of records: Int) -> Palettes? {
        paletteWidth.map { width in
            Palettes(groups: records, elements: (fields.last ?? 0) / width, width: width)
        }
    }

    /// The most planes that a chunk becomes.
    var planeLimit: Int { fields.count + 2 + (paletteWidth.map(Palettes.planeCount) ?? 0) }

    /// Where the planes of a transformed chunk end: what is compressed by itself.
    ///
    /// - Parameters:
    ///   - planes: what `split` wrote.
    ///   - byteCount: of the chunk.
    /// - Returns: places in `planes`; the end is not named.
    package func planeEnds(in planes: UnsafeRawBufferPointer, of byteCount: Int) -> [Int] {
        let records = byteCount / recordByteCount
        guard records > 0 else { return [] }
        var ends: [Int] = []
        var end = 0
        for field in isPacked ? fields.dropLast() : fields[...] {
            end += records * field
            ends.append(end)
        }
        end += byteCount % recordByteCount
        if let palettes = palettes(of: records) {
            let packed = UnsafeRawBufferPointer(rebasing: planes[end...])
            return ends + palettes.planeEnds(packed).map { end + $0 }
        }
        return pairsExponents ? ends + [end + 1 + (records + 1) / 2] : ends
    }

    /// The transforms that suit an encoding, the likeliest first.
    package static func candidates(for encoding: Encoding) -> [Transform] {
        switch encoding {
        case .scalar(let type):
            let palettes = Transform(palettesOf: type)
            guard type.byteCount > 1 else { return [Transform.none, palettes].compactMap(\.self) }
            let planes = [Int](repeating: 1, count: type.byteCount)
            let byPlanes = Transform(fields: planes, turnsSign: type.isFloatingPoint)
            // Other floats have no byte that is all exponent.
            let pairs =
                type == .bf16 || type == .f32
                ? Transform(fields: planes, turnsSign: true, pairsExponents: true) : nil
            return [pairs, byPlanes, palettes, Transform.none].compactMap(\.self)
        case .block(let encoding):
            let byFields = Transform(fields: encoding.storedFields)
            guard encoding == .q8_0 else { return [byFields, .none] }
            return [byFields, Transform(fields: encoding.storedFields, paletteWidth: 1), .none]
        case .grouped(let encoding):
            let scales = encoding.scaleType.byteCount + encoding.offsetByteCount
            let codes = encoding.bytesPerGroup - scales
            return [
                Transform(fields: [Int](repeating: 1, count: scales) + [codes]), .none,
            ]
        }
    }
}

extension Transform {
    /// Groups of 32, as the blocks are that weights have most often been quantized in.
    private init?(palettesOf type: ScalarType) {
        guard type.byteCount <= 4 else { return nil }
        self.init(
            checking: [type.byteCount * Palettes.elementMultiple], turnsSign: false,
            pairsExponents: false, paletteWidth: type.byteCount, isDelta: false)
    }

    /// Whether groups of so many bytes have palettes often enough to try them.
    func isLikely(for bytes: UnsafeRawBufferPointer) -> Bool {
        guard let palettes = palettes(of: bytes.count / recordByteCount) else { return false }
        return palettes.areLikely(
            in: bytes, start: recordByteCount - palettes.groupByteCount, stride: recordByteCount)
    }
}

extension BlockEncoding {
    /// The sizes of a block's fields: single bytes for scales and minimums, runs of bytes for codes.
    ///
    /// The layouts are specified in Formats/GGUF/Blocks.md. A change here changes what is written, never
    /// what can be read, for files state the fields that they were written with.
    fileprivate var storedFields: [Int] {
        func scales(_ count: Int) -> [Int] { [Int](repeating: 1, count: count) }
        switch self {
        case .q4_0, .iq4_nl, .q8_0: return scales(2) + [bytesPerBlock - 2]
        case .q4_1, .q8_1: return scales(4) + [bytesPerBlock - 4]
        case .q5_0: return scales(2) + [4, 16]
        case .q5_1: return scales(4) + [4, 16]
        case .q2_K: return [16, 64] + scales(4)
        case .q3_K: return [32, 64] + scales(12) + scales(2)
        case .q4_K: return scales(4) + scales(12) + [128]
        case .q5_K: return scales(4) + scales(12) + [32, 128]
        case .q6_K: return [128, 64] + scales(16) + scales(2)
        case .q8_K: return scales(4) + [256, 32]
        case .iq4_xs: return scales(2) + scales(2) + scales(4) + [128]
        case .mxfp4: return [1, 16]
        case .nvfp4: return scales(4) + [32]
        case .tq1_0: return [52] + scales(2)
        case .tq2_0: return [64] + scales(2)
        case .iq1_m: return [32, 16] + scales(8)
        case .iq1_s: return scales(2) + [32, 16]
        case .iq2_xxs, .iq2_xs, .iq2_s, .iq3_xxs, .iq3_s, .q1_0, .q2_0:
            return scales(2) + [bytesPerBlock - 2]
        }
    }
}
