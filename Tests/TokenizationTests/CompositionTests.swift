import TestSupport
import Testing

@testable import Tokenization

@Suite struct CompositionTests {
    /// Composing only what may need it gives what composing everything gives.
    @Test(arguments: 0..<40) func partsComposeAsTheWholeDoes(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let groups: [ClosedRange<UInt32>] = [
            0x20...0x7E, 0xA0...0x24F, 0x300...0x362, 0x370...0x3FF, 0x5D0...0x6FF, 0x900...0xDFF,
            0xE00...0xFFF, 0x1100...0x11FF, 0x1E00...0x1FFF, 0x2000...0x2FFF, 0x3040...0x30FF,
            0x4E00...0x4E20, 0xAC00...0xAC40, 0xF900...0xFB4F, 0x11000...0x11FFF, 0x16D40...0x16D7F,
            0x1D100...0x1D1FF, 0x1F300...0x1F400, 0x2F800...0x2FA1D, 0x0...0x10FFFF,
        ]
        var text = String.UnicodeScalarView()
        while text.count < 400 {
            let group = groups.randomElement(using: &generator) ?? 0...0
            for _ in 0..<Int.random(in: 1...12, using: &generator) {
                let value = UInt32.random(in: group, using: &generator)
                if let scalar = Unicode.Scalar(value) { text.append(scalar) }
                // Runs of inert characters between those that are not.
                if Int.random(in: 0..<8, using: &generator) == 0 {
                    text += "plain text, long".unicodeScalars
                }
            }
        }
        let bytes = Array(String(text).utf8)
        bytes.withUnsafeBufferPointer { bytes in
            let whole = UnicodeNormalization.composed(bytes)
            #expect((UnicodeNormalization.normalized(bytes, to: .nfc) ?? Array(bytes)) == whole)
            whole.withUnsafeBufferPointer { whole in
                #expect(UnicodeNormalization.normalized(whole, to: .nfc) == nil)
            }
        }
    }
}
