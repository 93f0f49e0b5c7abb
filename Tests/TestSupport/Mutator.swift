/// Damages files in the ways that disks, networks and attackers do; seeded, so a failure repeats.
public struct Mutator {
    private var generator: SeededGenerator

    public init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    /// A damaged copy, and what was done to it in words.
    public mutating func mutated(_ bytes: [UInt8]) -> (bytes: [UInt8], what: String) {
        guard !bytes.isEmpty else { return ([UInt8(random(256))], "one byte out of none") }
        var copy = bytes
        let place = random(copy.count)
        switch random(7) {
        case 0:
            return (Array(copy.prefix(place)), "cut to \(place) bytes")
        case 1:
            let bit = random(8)
            copy[place] ^= 1 << bit
            return (copy, "bit \(bit) of byte \(place) flipped")
        case 2:
            copy[place] = UInt8(random(256))
            return (copy, "byte \(place) set to \(copy[place])")
        case 3:
            let length = random(min(64, copy.count - place) + 1)
            copy.removeSubrange(place..<place + length)
            return (copy, "\(length) bytes removed at \(place)")
        case 4:
            let source = random(copy.count)
            let run = copy[source..<source + random(min(64, copy.count - source) + 1)]
            copy.insert(contentsOf: run, at: place)
            return (copy, "\(run.count) bytes of \(source) inserted at \(place)")
        case 5: return extreme(copy, at: place)
        default: return digits(copy, near: place)
        }
    }

    /// A number at the end of its range where a length, a count or an offset may stand.
    private mutating func extreme(_ bytes: [UInt8], at place: Int) -> ([UInt8], String) {
        let numbers: [UInt64] = [
            0, 1, 31, 1 << 31, 1 << 32 - 1, 1 << 32, 1 << 48, 1 << 61, 1 << 62, 1 << 63 - 1,
            1 << 63,
            .max - 31, .max,
        ]
        let number = numbers[random(numbers.count)]
        var copy = bytes
        let field = withUnsafeBytes(of: number.littleEndian) { Array($0) }
        for (index, byte) in field.prefix(random(2) == 0 ? 4 : 8).enumerated()
        where place + index < copy.count {
            copy[place + index] = byte
        }
        return (copy, "\(number) written at \(place)")
    }

    /// A decimal number in a text replaced by one that is hard to bear.
    private mutating func digits(_ bytes: [UInt8], near place: Int) -> ([UInt8], String) {
        let isDigit = { (byte: UInt8) in (0x30...0x39).contains(byte) }
        guard let start = bytes[place...].firstIndex(where: isDigit) else {
            return extreme(bytes, at: place)
        }
        let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
        let numbers = [
            "0", "-1", "1e308", "0.5", "9223372036854775807", "9223372036854775808",
            "18446744073709551616", "4294967296", "null", "[]", "\"1\"",
        ]
        let number = numbers[random(numbers.count)]
        var copy = bytes
        copy.replaceSubrange(start..<end, with: number.utf8)
        return (copy, "digits at \(start) replaced by \(number)")
    }

    private mutating func random(_ bound: Int) -> Int {
        Int.random(in: 0..<bound, using: &generator)
    }
}
