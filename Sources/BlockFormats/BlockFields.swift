/// Fields that several encodings share: halves, words, codes of four and of five bits.
extension UnsafeRawBufferPointer {
    /// The IEEE 754 half at `offset`, little-endian.
    @inline(__always)
    func half(at offset: Int) -> Float {
        let bits = UInt16(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        return Float(Float16(bitPattern: bits))
    }

    /// The 32 bits at `offset`, little-endian.
    @inline(__always)
    func word(at offset: Int) -> UInt32 {
        UInt32(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}

/// `Float16(value).bitPattern`, which is a library call on processors without a conversion; the package asks
/// for none.
@inline(__always)
func halfBits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let (sign, rest) = (UInt16(truncatingIfNeeded: bits >> 16 & 0x8000), bits & 0x7FFF_FFFF)
    // From 2⁻¹⁴ to what is still rounded to 65504: thirteen bits less, ties to even.
    guard rest >= 0x3880_0000, rest < 0x477F_F000 else { return Float16(value).bitPattern }
    let rounded = rest &+ 0xFFF &+ (rest >> 13 & 1) &- 0x3800_0000
    return sign | UInt16(truncatingIfNeeded: rounded >> 13)
}

extension UnsafeMutableRawBufferPointer {
    /// Stores `value` as the nearest half, ties to even.
    @inline(__always)
    func storeHalf(_ value: Float, at offset: Int) {
        storeBytes(of: halfBits(value).littleEndian, toByteOffset: offset, as: UInt16.self)
    }

    @inline(__always)
    func storeWord(_ value: UInt32, at offset: Int) {
        storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    }
}

extension UnsafeBufferPointer<Float> {
    /// The weight of largest magnitude, the first of equals; 0 when none has one.
    @inline(__always)
    var extreme: Float {
        var extreme: Float = 0
        for weight in self where weight.magnitude > extreme.magnitude { extreme = weight }
        return extreme
    }

    /// The smallest and the largest weight; a NaN is neither.
    @inline(__always)
    var bounds: (low: Float, high: Float) {
        var low = Float.infinity
        var high = -Float.infinity
        for weight in self {
            if weight < low { low = weight }
            if weight > high { high = weight }
        }
        return low <= high ? (low, high) : (0, 0)
    }
}

/// 32 codes of four bits: byte i of 16 holds weight i (low nibble) and weight i + 16 (high nibble).
/// Codes of five bits have a word before them, whose bit i is the fifth bit of weight i.
extension UnsafeRawBufferPointer {
    @inline(__always)
    func forEachNibble(at offset: Int, _ body: (_ weight: Int, _ code: UInt8) -> Void) {
        for i in 0..<16 {
            body(i, self[offset + i] & 0x0F)
            body(i + 16, self[offset + i] >> 4)
        }
    }

    @inline(__always)
    func forEachFiveBits(at offset: Int, _ body: (_ weight: Int, _ code: UInt8) -> Void) {
        let fifthBits = word(at: offset)
        forEachNibble(at: offset + 4) { weight, code in
            body(weight, code | UInt8(truncatingIfNeeded: fifthBits >> UInt32(weight) & 1) << 4)
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    @inline(__always)
    func storeNibbles(at offset: Int, _ code: (_ weight: Int) -> UInt8) {
        for i in 0..<16 { self[offset + i] = code(i) & 0x0F | code(i + 16) << 4 }
    }

    @inline(__always)
    func storeFiveBits(at offset: Int, _ code: (_ weight: Int) -> UInt8) {
        var fifthBits: UInt32 = 0
        for i in 0..<16 {
            let (low, high) = (code(i), code(i + 16))
            self[offset + 4 + i] = low & 0x0F | high << 4
            fifthBits |= UInt32(low >> 4 & 1) << UInt32(i) | UInt32(high >> 4 & 1) << UInt32(i + 16)
        }
        storeWord(fifthBits, at: offset)
    }
}
