import TensorIR

/// Codes of 2 to 8 bits, least significant bit first, and the numbers before them.
extension GroupedAffine {
    /// Calls `body` with the index and value of each of the first `count` codes.
    @inline(__always)
    func forEachCode(
        _ codes: UnsafeRawBufferPointer, count: Int, _ body: (_ index: Int, _ code: Int32) -> Void
    ) {
        // The common widths first: whole nibbles and bytes need no window.
        if bits == 8 {
            for index in 0..<count { body(index, Int32(codes[index])) }
            return
        }
        if bits == 4 {
            for pair in 0..<count / 2 {
                body(2 &* pair, Int32(codes[pair] & 0x0F))
                body(2 &* pair &+ 1, Int32(codes[pair] >> 4))
            }
            if count % 2 == 1 { body(count - 1, Int32(codes[count / 2] & 0x0F)) }
            return
        }
        var window: UInt32 = 0
        var available = 0
        var next = 0
        for index in 0..<count {
            if available < bits {
                window |= UInt32(codes[next]) << UInt32(available)
                (available, next) = (available + 8, next + 1)
            }
            body(index, Int32(window & UInt32(maximumCode)))
            window >>= UInt32(bits)
            available -= bits
        }
    }

    /// Stores `count` codes and clears the bits behind them.
    @inline(__always)
    func storeCodes(
        into codes: UnsafeMutableRawBufferPointer, count: Int, _ code: (_ index: Int) -> UInt8
    ) {
        var window: UInt32 = 0
        var filled = 0
        var next = 0
        for index in 0..<count {
            window |= UInt32(code(index)) << UInt32(filled)
            filled += bits
            if filled >= 8 {
                codes[next] = UInt8(truncatingIfNeeded: window)
                (window, filled, next) = (window >> 8, filled - 8, next + 1)
            }
        }
        while next < codes.count {
            codes[next] = UInt8(truncatingIfNeeded: window)
            (window, next) = (0, next + 1)
        }
    }
}

extension UnsafeRawBufferPointer {
    /// A scale or bias of type `type`.
    func number(_ type: ScalarType, at offset: Int) -> Float {
        switch type {
        case .f16: return half(at: offset)
        case .bf16:
            let bits = UInt16(littleEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self))
            return Float(bitPattern: UInt32(bits) << 16)
        default: return Float(bitPattern: word(at: offset))
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Stores a scale or bias of type `type`.
    func store(_ number: Float, _ type: ScalarType, at offset: Int) {
        switch type {
        case .f16: storeHalf(number, at: offset)
        case .bf16:
            storeBytes(of: BF16.bits(number).littleEndian, toByteOffset: offset, as: UInt16.self)
        default: storeWord(number.bitPattern, at: offset)
        }
    }
}
